-- For which reasons do objects fail, and how often?
SELECT reason, count(*) AS failures, max("@timestamp") AS last_seen, arg_max(key, "@timestamp") AS last_key
FROM logs
WHERE event = 'object_failed'
GROUP BY reason
ORDER BY failures DESC
LIMIT 200
