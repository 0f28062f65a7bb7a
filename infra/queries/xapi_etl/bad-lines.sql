-- Which objects had lines that are no statements, and where are they?
SELECT "@timestamp", event, bucket, key, lines, first_line, reason, quarantine
FROM logs
WHERE event IN ('lines_quarantined', 'lines_skipped')
ORDER BY "@timestamp" DESC
LIMIT 200
