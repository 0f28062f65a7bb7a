-- How far did each file come, even if its invocation was killed?
SELECT
  s3_key,
  max(bytes) AS received,
  max(expected) AS of_bytes,
  max(percent) AS percent_done,
  max("@timestamp") AS last_seen
FROM logs
WHERE event = 'file_progress'
GROUP BY s3_key
ORDER BY last_seen DESC
LIMIT 200
