-- How fast was each archive of one invocation written?
SELECT
  "@timestamp",
  job_id,
  files,
  bytes,
  duration_ms,
  bytes / duration_ms * 1000 / 1048576 AS mib_per_second
FROM logs
WHERE event = 'job_ready'
  AND hops = 0
ORDER BY "@timestamp" DESC
LIMIT 200
