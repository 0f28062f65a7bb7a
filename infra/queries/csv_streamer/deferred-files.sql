-- Which files did not fit into their invocation?
SELECT "@timestamp", url, s3_key, bytes, error, aws_request_id
FROM logs
WHERE event = 'file_deferred'
ORDER BY "@timestamp" DESC
LIMIT 200
