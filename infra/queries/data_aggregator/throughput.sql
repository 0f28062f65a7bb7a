-- How much is bundled, and how far does it shrink, by five minutes?
SELECT
  time_bucket(INTERVAL 5 minutes, "@timestamp") AS "bin(5m)",
  count(*) AS bundles,
  sum(sources) AS bundled,
  sum(uncompressed_bytes) AS taken_in,
  sum(bundle_bytes) AS written,
  max(duration_ms) AS slowest_ms
FROM logs
WHERE event = 'bundle_written'
GROUP BY "bin(5m)"
ORDER BY "bin(5m)" DESC
LIMIT 200
