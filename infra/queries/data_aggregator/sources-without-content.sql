-- Which events named an object that was deleted or overwritten before it could be read?
SELECT "@timestamp", event, bucket, key, version_id, reason
FROM logs
WHERE event IN ('source_gone', 'source_superseded')
ORDER BY "@timestamp" DESC
LIMIT 200
