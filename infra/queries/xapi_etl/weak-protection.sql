-- Where is exactly-once not what it could be: settings that clash, tables that cannot be looked into?
SELECT "@timestamp", event, token, reason, error, trim(settings, '[]{}') AS overridden, aws_request_id
FROM logs
WHERE event IN ('insert_not_repeatable', 'ledger_not_written', 'look_impossible', 'settings_overridden')
ORDER BY "@timestamp" DESC
LIMIT 200
