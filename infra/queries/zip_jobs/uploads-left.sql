-- Which unfinished uploads could not be aborted, and wait for the bucket's lifecycle rule?
SELECT "@timestamp", job_id, exception, aws_request_id
FROM logs
WHERE event = 'uploads_left'
ORDER BY "@timestamp" DESC
LIMIT 200
