-- Which exports were made, how large, in what time?
SELECT "@timestamp", dataset, format, rows, bytes, elapsed_ms, export
FROM logs
WHERE event = 'export_made'
ORDER BY "@timestamp" DESC
LIMIT 200
