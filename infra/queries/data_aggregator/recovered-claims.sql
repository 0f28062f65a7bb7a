-- Whose work was finished or begun anew by another worker?
SELECT "@timestamp", bucket, key, bundle, bundled, aws_request_id
FROM logs
WHERE event = 'claim_recovered'
ORDER BY "@timestamp" DESC
LIMIT 200
