-- Which filters are asked for most?
SELECT dataset, filter, count(*) AS downloads, avg(elapsed_ms) AS mean_ms, max(rows) AS most_rows
FROM logs
WHERE event = 'download'
GROUP BY dataset, filter
ORDER BY downloads DESC
LIMIT 200
