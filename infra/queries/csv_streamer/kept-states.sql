-- Which states of finished runs could not be deleted, and wait for the bucket's lifecycle rule?
SELECT "@timestamp", run, hop, error, aws_request_id
FROM logs
WHERE event = 'continuation_kept'
ORDER BY "@timestamp" DESC
LIMIT 200
