-- Which exports could not be made, and why?
SELECT "@timestamp", export, dataset, format, error, exception_name, exception, aws_request_id
FROM logs
WHERE event = 'export_failed'
ORDER BY "@timestamp" DESC
LIMIT 200
