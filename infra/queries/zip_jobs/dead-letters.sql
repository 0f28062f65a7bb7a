-- Which jobs did the settler end because their messages became dead letters?
SELECT "@timestamp", job_id, status, aws_request_id
FROM logs
WHERE event = 'job_dead_lettered'
ORDER BY "@timestamp" DESC
LIMIT 200
