-- Which sources break off, how often, and with what?
SELECT url, error, count(*) AS retries, max(attempt) AS most_attempts, max("offset") AS furthest_byte
FROM logs
WHERE event = 'file_retry'
GROUP BY url, error
ORDER BY retries DESC
LIMIT 200
