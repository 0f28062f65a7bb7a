# Like production, but it can be thrown away.

environment        = "staging"
force_destroy      = true
log_retention_days = 7
tracing_enabled    = true

# The xAPI ETL is deployed where it knows a ClickHouse:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
