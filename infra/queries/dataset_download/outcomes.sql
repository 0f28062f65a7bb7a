-- How do downloads end: complete, redirected, exported, given up, failed?
SELECT outcome, format, count(*) AS downloads
FROM logs
WHERE event = 'download'
GROUP BY outcome, format
ORDER BY downloads DESC
LIMIT 200
