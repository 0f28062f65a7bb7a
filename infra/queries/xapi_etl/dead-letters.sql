-- Which messages failed for the last time or for good, and why?
SELECT "@timestamp", event, message_id, reason_code, reason, error, aws_request_id
FROM logs
WHERE event IN ('message_copied', 'message_dead_lettered', 'message_not_copied')
ORDER BY "@timestamp" DESC
LIMIT 200
