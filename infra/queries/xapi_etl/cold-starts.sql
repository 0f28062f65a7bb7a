-- What runtime did each cold start find?
SELECT
  "@timestamp",
  description,
  python_version,
  python_implementation,
  architecture,
  trim(dependencies, '[]{}') AS packages
FROM logs
WHERE event = 'cold_start'
ORDER BY "@timestamp" DESC
LIMIT 200
