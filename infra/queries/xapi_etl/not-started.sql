-- Which objects were left for want of time?
SELECT bucket, key, version_id, reason, count(*) AS times, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'object_not_started'
GROUP BY bucket, key, version_id, reason
ORDER BY last_seen DESC
LIMIT 200
