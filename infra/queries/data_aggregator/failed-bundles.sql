-- Which bundles were not written, not committed or not released, and with what error?
SELECT "@timestamp", event, bundle, sources, exception, aws_request_id
FROM logs
WHERE event IN ('bundle_failed', 'commit_failed', 'release_failed')
ORDER BY "@timestamp" DESC
LIMIT 200
