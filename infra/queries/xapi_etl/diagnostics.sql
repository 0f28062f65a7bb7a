-- What did the invocations with diagnostics find?
SELECT "@timestamp", trim(checks, '[]{}') AS found, aws_request_id
FROM logs
WHERE event = 'diagnostics_complete'
ORDER BY "@timestamp" DESC
LIMIT 200
