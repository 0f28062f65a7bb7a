-- Which objects had lines that are no statements, and where are they?
SELECT "@timestamp", bucket, key, lines, first_line, reason, quarantine
FROM logs
WHERE event = 'lines_quarantined'
ORDER BY "@timestamp" DESC
LIMIT 200
