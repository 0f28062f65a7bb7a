-- Which messages could not be handled because the job table or the queue did not answer?
SELECT "@timestamp", event, message_id, job_id, exception, aws_request_id
FROM logs
WHERE event IN ('message_failed', 'dead_letter_failed')
ORDER BY "@timestamp" DESC
LIMIT 200
