-- How large is each INSERT, and how long does it take?
SELECT
  "@timestamp",
  rows,
  rows_inserted,
  objects,
  parquet_bytes,
  duration_ms,
  rows * 1000 / duration_ms AS rows_per_second
FROM logs
WHERE event = 'insert_complete'
ORDER BY "@timestamp" DESC
LIMIT 200
