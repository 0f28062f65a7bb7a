-- Which requests were answered with a 5xx, and why?
SELECT "@timestamp", status, path, reason, exception_name, exception, aws_request_id
FROM logs
WHERE event = 'request_failed'
ORDER BY "@timestamp" DESC
LIMIT 200
