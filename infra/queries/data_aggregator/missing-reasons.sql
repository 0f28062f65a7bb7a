-- Which batches could not record why their messages came back?
SELECT "@timestamp", messages, error, aws_request_id
FROM logs
WHERE event = 'reasons_not_recorded'
ORDER BY "@timestamp" DESC
LIMIT 200
