-- What did the table have no column for, and which records of messages announced no object?
SELECT "@timestamp", event, trim(lines_by_key, '{}') AS dropped, trim("columns", '[]{}') AS missing, message_id, reason, record, bucket, key
FROM logs
WHERE event IN ('columns_missing', 'keys_dropped', 'record_ignored')
ORDER BY "@timestamp" DESC
LIMIT 200
