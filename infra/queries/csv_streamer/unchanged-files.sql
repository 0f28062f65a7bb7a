-- Which files were not fetched because the newest version is stored already?
SELECT url, s3_key, count(*) AS times, max("@timestamp") AS last_seen
FROM logs
WHERE event = 'file_unchanged'
GROUP BY url, s3_key
ORDER BY last_seen DESC
LIMIT 200
