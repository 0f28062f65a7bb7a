-- Which joined parts could not be deleted, and wait for the bucket's lifecycle rule?
SELECT "@timestamp", s3_key, error, aws_request_id
FROM logs
WHERE event = 'staged_object_kept'
ORDER BY "@timestamp" DESC
LIMIT 200
