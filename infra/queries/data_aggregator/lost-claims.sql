-- Did a worker lose claims of a bundle that it had written? There should be none.
SELECT "@timestamp", bundle, trim(ids, '[]{}') AS lost, aws_request_id
FROM logs
WHERE event = 'claims_lost'
ORDER BY "@timestamp" DESC
LIMIT 200
