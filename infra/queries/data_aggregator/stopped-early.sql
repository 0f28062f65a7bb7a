-- Which invocations left sources for want of time or disk?
SELECT "@timestamp", reason, "left", aws_request_id
FROM logs
WHERE event = 'stopped_early'
ORDER BY "@timestamp" DESC
LIMIT 200
