-- How many bytes were copied inside S3, and how many went through the workers, by the hour?
SELECT
  time_bucket(INTERVAL 1 hour, "@timestamp") AS "bin(1h)",
  count(*) AS archives,
  sum(bytes_copied) AS copied,
  sum(bytes_streamed) AS streamed
FROM logs
WHERE event = 'job_ready'
GROUP BY "bin(1h)"
ORDER BY "bin(1h)" DESC
LIMIT 200
