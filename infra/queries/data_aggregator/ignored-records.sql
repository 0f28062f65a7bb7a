-- Which records announced no new object, and how many?
SELECT reason, record, bucket, sum(records)::BIGINT AS ignored, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'record_ignored'
GROUP BY reason, record, bucket
ORDER BY ignored DESC
LIMIT 200
