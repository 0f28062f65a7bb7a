-- How near do invocations come to their time and memory, and how many start cold?
SELECT
  "@log",
  count(*) AS invocations,
  count("@initDuration") AS cold_starts,
  avg("@duration") AS mean_ms,
  max("@duration") AS slowest_ms,
  max("@maxMemoryUsed" / 1000000) AS most_mb,
  max("@memorySize" / 1000000) AS of_mb
FROM logs
WHERE "@type" = 'REPORT'
GROUP BY "@log"
ORDER BY invocations DESC
LIMIT 200
