-- How do jobs end: ready, failed, cancelled, given up?
SELECT event, count(DISTINCT job_id) AS jobs, max("@timestamp") AS last_seen
FROM logs
WHERE event IN ('job_ready', 'job_failed', 'job_cancelled', 'job_settled', 'job_dead_lettered')
GROUP BY event
ORDER BY jobs DESC
LIMIT 200
