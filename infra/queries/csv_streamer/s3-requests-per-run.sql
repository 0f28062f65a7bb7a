-- What did each invocation ask of S3?
SELECT
  "@timestamp",
  aws_request_id,
  create_multipart,
  upload_part,
  complete_multipart,
  abort_multipart,
  put_object,
  get_object,
  total
FROM logs
WHERE event = 's3_request_counters'
ORDER BY "@timestamp" DESC
LIMIT 200
