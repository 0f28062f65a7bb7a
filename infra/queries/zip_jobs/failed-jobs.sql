-- Which jobs failed, and why?
SELECT "@timestamp", event, job_id, error, exception, aws_request_id
FROM logs
WHERE event IN ('job_failed', 'job_settled', 'job_dead_lettered')
ORDER BY "@timestamp" DESC
LIMIT 200
