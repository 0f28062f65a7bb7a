-- Which downloads broke, and why?
SELECT "@timestamp", dataset, format, filter, rows, bytes, exception_name, exception, request_id
FROM logs
WHERE event = 'download'
  AND outcome = 'failed'
ORDER BY "@timestamp" DESC
LIMIT 200
