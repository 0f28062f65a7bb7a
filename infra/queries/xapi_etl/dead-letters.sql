-- Which messages failed for the last time, and why?
SELECT "@timestamp", event, message_id, reason, error, aws_request_id
FROM logs
WHERE event IN ('message_copied', 'message_not_copied')
ORDER BY "@timestamp" DESC
LIMIT 200
