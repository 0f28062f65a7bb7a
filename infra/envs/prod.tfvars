environment         = "prod"
deletion_protection = true
log_retention_days  = 30
tracing_enabled     = true

# Set one, or nobody hears the alarms:
# alarm_email     = "on-call@example.com"
# alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:on-call"

# 70 invocations may be started by queues: more than a new account takes (10). Ask for a limit of 1,000 in Service Quotas
# first; scripts/account_limits.py says what the account has.
account_concurrency = 1000

zip_jobs        = { worker = { maximum_concurrency = 50 } }
data_aggregator = { maximum_concurrency = 10 }

# The xAPI ETL is deployed where it knows a ClickHouse:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { maximum_concurrency = 10, clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
