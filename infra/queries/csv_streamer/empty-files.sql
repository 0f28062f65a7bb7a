-- Which sources served nothing at all?
SELECT "@timestamp", url, s3_key, aws_request_id
FROM logs
WHERE event = 'file_complete_zero'
ORDER BY "@timestamp" DESC
LIMIT 200
