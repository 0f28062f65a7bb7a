-- Which events came for exports that are somebody else's or done?
SELECT export, count(*) AS times, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'export_skipped'
GROUP BY export
ORDER BY last_seen DESC
LIMIT 200
