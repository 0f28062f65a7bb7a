-- Which jobs go on over several invocations, and how far are they?
SELECT
  job_id,
  count(*) AS handovers,
  max(hops) AS last_hop,
  min("@timestamp") AS first_seen,
  max("@timestamp") AS last_seen
FROM logs
WHERE event = 'job_continued'
GROUP BY job_id
ORDER BY last_hop DESC
LIMIT 200
