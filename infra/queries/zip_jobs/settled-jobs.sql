-- Which jobs were found dead when somebody asked for them?
SELECT "@timestamp", job_id, error, aws_request_id
FROM logs
WHERE event = 'job_settled'
ORDER BY "@timestamp" DESC
LIMIT 200
