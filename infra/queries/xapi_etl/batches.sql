-- What became of each batch of messages?
SELECT
  "@timestamp",
  messages,
  messages_failed,
  objects,
  loaded,
  duplicate,
  empty,
  converted,
  failed,
  not_started,
  lines,
  bad_lines,
  rows_inserted,
  rows_present,
  inserts,
  parquet_bytes,
  dry_run,
  aws_request_id
FROM logs
WHERE event = 'batch_complete'
ORDER BY "@timestamp" DESC
LIMIT 200
