-- How many objects and rows came more than once, by the hour?
SELECT
  time_bucket(INTERVAL 1 hour, "@timestamp") AS "bin(1h)",
  sum(loaded) AS first_time,
  sum(duplicate) AS repeated,
  sum(rows_inserted) AS rows_new,
  sum(rows_present) AS rows_repeated
FROM logs
WHERE event = 'batch_complete'
GROUP BY "bin(1h)"
ORDER BY "bin(1h)" DESC
LIMIT 200
