-- Which INSERTs did ClickHouse refuse, in what words?
SELECT "@timestamp", event, code, error, rows, objects, parquet_bytes, token, exception, aws_request_id
FROM logs
WHERE event IN ('insert_failed', 'insert_broken')
ORDER BY "@timestamp" DESC
LIMIT 200
