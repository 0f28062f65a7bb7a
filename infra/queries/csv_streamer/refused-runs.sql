-- Which runs did not begin, since another of the same entries was under way?
SELECT "@timestamp", error, aws_request_id
FROM logs
WHERE event = 'run_refused'
ORDER BY "@timestamp" DESC
LIMIT 200
