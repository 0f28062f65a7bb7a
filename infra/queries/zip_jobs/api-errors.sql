-- Which requests did the API itself refuse or fail: not signed, throttled, no answer from the function?
SELECT
  status,
  routeKey,
  authorizerError,
  integrationError,
  count(*) AS requests,
  max("@timestamp") AS last_seen
FROM logs
WHERE routeKey IS NOT NULL
  AND try_cast(status AS INT) >= 400
GROUP BY status, routeKey, authorizerError, integrationError
ORDER BY requests DESC
LIMIT 200
