-- Which runs go on over several invocations, and which of them came twice?
SELECT run, event, count(*) AS lines, max(hop) AS last_hop
FROM logs
WHERE event IN ('continuation_saved', 'continuation_started', 'continuation_skipped')
GROUP BY run, event
ORDER BY last_hop DESC
LIMIT 200
