-- Which messages name no job, and stay in the dead-letter queue?
SELECT message_id, error, count(*) AS receives, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'message_rejected'
GROUP BY message_id, error
ORDER BY last_seen DESC
LIMIT 200
