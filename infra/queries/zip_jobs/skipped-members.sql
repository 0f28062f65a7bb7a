-- Which archives lack objects that the job named?
SELECT "@timestamp", job_id, files, skipped, target_key
FROM logs
WHERE event = 'job_ready'
  AND skipped > 0
ORDER BY "@timestamp" DESC
LIMIT 200
