-- How did each run end, and what did it move?
SELECT
  "@timestamp",
  status,
  total_files,
  successful,
  failed,
  unchanged,
  deferred,
  total_bytes,
  aws_request_id
FROM logs
WHERE event = 'lambda_complete'
ORDER BY "@timestamp" DESC
LIMIT 200
