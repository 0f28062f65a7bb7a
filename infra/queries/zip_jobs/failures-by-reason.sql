-- For which reasons do jobs fail, and how often? (Names and numbers, which differ from job to job, are left out.)
SELECT
  regexp_extract(error, '^(?:''[^'']*'' |\d+ of )?([^:'']*[^:'' ])', 1) AS kind,
  count(*) AS jobs,
  max("@timestamp") AS last_seen,
  arg_max(job_id, "@timestamp") AS last_job
FROM logs
WHERE event IN ('job_failed', 'job_settled')
GROUP BY kind
ORDER BY jobs DESC
LIMIT 200
