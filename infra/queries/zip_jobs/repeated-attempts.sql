-- Which jobs had to be begun more than once?
SELECT
  job_id,
  max(attempts) AS most_attempts,
  max(receives) AS most_receives,
  max(hops) AS most_hops,
  max("@timestamp") AS last_seen
FROM logs
WHERE event = 'job_started'
  AND attempts - hops > 1
GROUP BY job_id
ORDER BY most_attempts DESC
LIMIT 200
