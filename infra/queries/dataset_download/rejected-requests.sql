-- What do callers ask for that they do not get?
SELECT status, path, reason, count(*) AS requests, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'request_rejected'
GROUP BY status, path, reason
ORDER BY requests DESC
LIMIT 200
