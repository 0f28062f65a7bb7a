-- For which reasons do jobs fail, and how often?
SELECT error, count(*) AS jobs, max("@timestamp") AS last_seen, arg_max(job_id, "@timestamp") AS last_job
FROM logs
WHERE event IN ('job_failed', 'job_settled')
GROUP BY error
ORDER BY jobs DESC
LIMIT 200
