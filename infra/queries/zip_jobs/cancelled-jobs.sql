-- Which jobs were cancelled, and which workers saw it?
SELECT "@timestamp", service, job_id, aws_request_id
FROM logs
WHERE event = 'job_cancelled'
ORDER BY "@timestamp" DESC
LIMIT 200
