-- Which jobs were asked for, and which requests were repeated?
SELECT "@timestamp", event, job_id, status, keys, aws_request_id
FROM logs
WHERE event IN ('job_created', 'job_repeated')
ORDER BY "@timestamp" DESC
LIMIT 200
