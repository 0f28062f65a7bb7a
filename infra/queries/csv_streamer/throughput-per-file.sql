-- How fast did each file go into S3?
SELECT "@timestamp", s3_key, bytes, parts, elapsed_ms, avg_mbps
FROM logs
WHERE event = 'file_complete'
ORDER BY "@timestamp" DESC
LIMIT 200
