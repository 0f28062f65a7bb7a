-- Which downloads did the client give up, or take too slowly?
SELECT "@timestamp", dataset, format, filter, rows, bytes, elapsed_ms, request_id
FROM logs
WHERE event = 'download'
  AND outcome = 'abandoned'
ORDER BY "@timestamp" DESC
LIMIT 200
