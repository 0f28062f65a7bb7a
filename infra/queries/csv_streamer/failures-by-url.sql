-- Which files could not be streamed, and why?
SELECT "@timestamp", url, s3_key, error, aws_request_id
FROM logs
WHERE event = 'file_error'
ORDER BY "@timestamp" DESC
LIMIT 200
