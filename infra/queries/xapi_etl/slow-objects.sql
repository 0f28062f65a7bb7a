-- Which objects take long, and how far did they get?
SELECT
  bucket,
  key,
  max(rows) AS most_rows,
  max(bytes_read) AS most_bytes,
  max(size) AS whole,
  max("@timestamp") AS last_seen
FROM logs
WHERE event = 'lines_progress'
GROUP BY bucket, key
ORDER BY last_seen DESC
LIMIT 200
