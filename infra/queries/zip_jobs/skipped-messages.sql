-- Which messages came for jobs that had ended, or that another worker had?
SELECT job_id, status, count(*) AS messages, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'job_skipped'
GROUP BY job_id, status
ORDER BY last_seen DESC
LIMIT 200
