-- Which files hit an error that nobody foresaw?
SELECT "@timestamp", url, s3_key, exception_name, exception, aws_request_id
FROM logs
WHERE event = 'file_crashed'
ORDER BY "@timestamp" DESC
LIMIT 200
