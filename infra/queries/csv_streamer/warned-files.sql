-- Which files were stored though they look wrong?
SELECT "@timestamp", url, s3_key, warning, aws_request_id
FROM logs
WHERE event = 'file_warning'
ORDER BY "@timestamp" DESC
LIMIT 200
