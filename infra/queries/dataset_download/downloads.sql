-- What was downloaded, how much, and how long did it take?
SELECT "@timestamp", dataset, format, filter, rows, bytes, elapsed_ms, outcome, request_id
FROM logs
WHERE event = 'download'
ORDER BY "@timestamp" DESC
LIMIT 200
