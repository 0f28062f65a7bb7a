environment         = "prod"
deletion_protection = true
log_retention_days  = 30
tracing_enabled     = true

# Without one of these, alarms notify nobody:
# alarm_email     = "on-call@example.com"
# alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:on-call"

# 70 concurrent invocations by queues exceed the limit of a new account (10). Request 1,000 in Service Quotas
# first; scripts/account_limits.py prints the account's limit.
account_concurrency = 1000

zip_jobs        = { worker = { maximum_concurrency = 50 } }
data_aggregator = { maximum_concurrency = 10 }

# The xAPI ETL is deployed if a ClickHouse is configured:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { maximum_concurrency = 10, clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
