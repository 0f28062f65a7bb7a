-- Which uploads were given up, and which could not even be aborted?
SELECT "@timestamp", event, s3_key, error, aws_request_id
FROM logs
WHERE event IN ('multipart_abort_start', 'multipart_abort_failed')
ORDER BY "@timestamp" DESC
LIMIT 200
