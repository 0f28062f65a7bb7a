-- How many sources came more than once, or while another worker had them, by the hour?
SELECT
  time_bucket(INTERVAL 1 hour, "@timestamp") AS "bin(1h)",
  sum(try_cast(bundled AS BIGINT)) AS first_time,
  sum(duplicate) AS repeated,
  sum(busy) AS held_by_others
FROM logs
WHERE event = 'batch_complete'
GROUP BY "bin(1h)"
ORDER BY "bin(1h)" DESC
LIMIT 200
