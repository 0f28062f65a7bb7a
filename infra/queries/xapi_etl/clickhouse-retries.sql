-- How often was ClickHouse asked again, and for what?
SELECT code, error, count(*) AS times, max("@timestamp") AS last_seen, max(attempt) AS most_attempts
FROM logs
WHERE event = 'clickhouse_retry'
GROUP BY code, error
ORDER BY times DESC
LIMIT 200
