-- Which sources could not be bundled, and why?
SELECT event, bucket, key, version_id, reason, count(*) AS times, max("@timestamp") AS last_seen
FROM logs
WHERE event IN ('source_failed', 'source_refused')
GROUP BY event, bucket, key, version_id, reason
ORDER BY last_seen DESC
LIMIT 200
