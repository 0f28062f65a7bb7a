-- Which batches' messages come back only after the queue's visibility timeout?
SELECT "@timestamp", messages, error, aws_request_id
FROM logs
WHERE event = 'messages_not_hidden'
ORDER BY "@timestamp" DESC
LIMIT 200
