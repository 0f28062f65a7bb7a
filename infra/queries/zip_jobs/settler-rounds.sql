-- What does the settler find in the dead-letter queue, and what does it leave for a human?
SELECT "@timestamp", settled, "left", aws_request_id
FROM logs
WHERE event = 'dead_letters_seen'
ORDER BY "@timestamp" DESC
LIMIT 200
