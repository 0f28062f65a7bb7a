-- What goes wrong in passing, how often, and with how many jobs?
SELECT
  error,
  count(*) AS retries,
  count(DISTINCT job_id) AS jobs,
  max(retry_in_seconds) AS longest_pause,
  max("@timestamp") AS last_seen
FROM logs
WHERE event = 'job_retry'
GROUP BY error
ORDER BY retries DESC
LIMIT 200
