-- Which runs could not begin, and why?
SELECT "@timestamp", event, error, exception_name, exception, aws_request_id
FROM logs
WHERE event IN ('lambda_fatal', 'parameters_load_error', 'no_file_urls')
ORDER BY "@timestamp" DESC
LIMIT 200
