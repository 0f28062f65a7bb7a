-- What became of each batch of messages?
SELECT
  "@timestamp",
  messages,
  returned,
  bundles,
  bundled,
  duplicate,
  source_gone,
  superseded,
  busy,
  failed,
  refused,
  not_started,
  rejected,
  ignored,
  aws_request_id
FROM logs
WHERE event = 'batch_complete'
ORDER BY "@timestamp" DESC
LIMIT 200
