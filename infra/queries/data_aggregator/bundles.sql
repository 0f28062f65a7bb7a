-- What went into each bundle, how far did it shrink, and how long did it take?
SELECT
  "@timestamp",
  bundle,
  sources,
  input_bytes,
  uncompressed_bytes,
  bundle_bytes,
  uncompressed_bytes / bundle_bytes AS ratio,
  duration_ms
FROM logs
WHERE event = 'bundle_written'
ORDER BY "@timestamp" DESC
LIMIT 200
