-- Which downloads took longest?
SELECT "@timestamp", dataset, format, filter, rows, bytes, elapsed_ms, outcome, request_id
FROM logs
WHERE event = 'download'
ORDER BY elapsed_ms DESC
LIMIT 50
