-- What went into each archive?
SELECT "@timestamp", job_id, files, skipped, bytes, bytes_copied, bytes_streamed, hops, target_key
FROM logs
WHERE event = 'job_ready'
ORDER BY "@timestamp" DESC
LIMIT 200
