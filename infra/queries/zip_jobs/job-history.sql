-- What happened to each job, step by step? (For one job, add to the filter: and job_id = "…".)
SELECT "@timestamp", job_id, event, status, hops, error, aws_request_id
FROM logs
WHERE job_id IS NOT NULL
ORDER BY job_id, "@timestamp"
LIMIT 1000
