-- Which objects could not be loaded, and why?
SELECT event, bucket, key, version_id, reason, count(*) AS times, max("@timestamp") AS last_seen
FROM logs
WHERE event IN ('object_failed', 'object_broken')
GROUP BY event, bucket, key, version_id, reason
ORDER BY last_seen DESC
LIMIT 200
