-- How long do INSERTs take, by five minutes?
SELECT
  time_bucket(INTERVAL 5 minutes, "@timestamp") AS "bin(5m)",
  count(*) AS times,
  sum(rows_inserted) AS landed,
  avg(duration_ms) AS mean_ms,
  quantile_cont(duration_ms, 0.95) AS p95_ms,
  max(duration_ms) AS slowest_ms
FROM logs
WHERE event = 'insert_complete'
GROUP BY "bin(5m)"
ORDER BY "bin(5m)" DESC
LIMIT 200
