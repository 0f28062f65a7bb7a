-- What do callers ask of the API that they do not get?
SELECT service, status, reason, count(*) AS requests, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'request_rejected'
GROUP BY service, status, reason
ORDER BY requests DESC
LIMIT 200
