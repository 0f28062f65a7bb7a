-- Which unfinished uploads could not be aborted (the bucket's lifecycle rule will), and which lists of keys not be written?
SELECT "@timestamp", event, job_id, exception, aws_request_id
FROM logs
WHERE event IN ('uploads_left', 'key_report_failed')
ORDER BY "@timestamp" DESC
LIMIT 200
