-- How long do downloads take, by five minutes?
SELECT
  time_bucket(INTERVAL 5 minutes, "@timestamp") AS "bin(5m)",
  count(*) AS downloads,
  avg(elapsed_ms) AS mean_ms,
  quantile_cont(elapsed_ms, 0.95) AS p95_ms,
  max(elapsed_ms) AS slowest_ms
FROM logs
WHERE event = 'download'
GROUP BY "bin(5m)"
ORDER BY "bin(5m)" DESC
LIMIT 200
