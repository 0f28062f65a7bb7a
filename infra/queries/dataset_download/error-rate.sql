-- Which share of downloads fails, by five minutes?
SELECT
  time_bucket(INTERVAL 5 minutes, "@timestamp") AS "bin(5m)",
  count(*) AS requests,
  sum(contains(level, 'ERROR')::INT) AS failed,
  avg(contains(level, 'ERROR')::INT) * 100 AS failed_percent
FROM logs
WHERE event IN ('download', 'request_failed')
GROUP BY "bin(5m)"
ORDER BY "bin(5m)" DESC
LIMIT 200
