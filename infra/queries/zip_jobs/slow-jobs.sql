-- Which jobs took longest?
SELECT "@timestamp", job_id, hops, duration_ms, files, bytes, bytes_copied, bytes_streamed, aws_request_id
FROM logs
WHERE event = 'job_ready'
ORDER BY hops DESC, duration_ms DESC
LIMIT 50
