-- Which workers lost their job to another worker?
SELECT "@timestamp", job_id, error, aws_request_id
FROM logs
WHERE event = 'lease_lost'
ORDER BY "@timestamp" DESC
LIMIT 200
