-- Which batches could not begin, for want of a mapping or of credentials?
SELECT "@timestamp", error, aws_request_id
FROM logs
WHERE event = 'batch_failed'
ORDER BY "@timestamp" DESC
LIMIT 200
