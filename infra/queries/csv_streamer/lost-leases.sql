-- Which runs went on without their lease?
SELECT "@timestamp", event, run, error, aws_request_id
FROM logs
WHERE event IN ('lease_lost', 'lease_unavailable')
ORDER BY "@timestamp" DESC
LIMIT 200
