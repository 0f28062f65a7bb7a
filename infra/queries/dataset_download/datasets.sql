-- Which datasets are asked for most, and in which format?
SELECT
  dataset,
  format,
  count(*) AS downloads,
  sum(rows) AS rows_sent,
  sum(bytes) AS bytes_sent,
  avg(elapsed_ms) AS mean_ms
FROM logs
WHERE event = 'download'
GROUP BY dataset, format
ORDER BY downloads DESC
LIMIT 200
