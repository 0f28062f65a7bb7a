environment         = "prod"
deletion_protection = true
log_retention_days  = 30
tracing_enabled     = true

# Set one, or nobody hears the alarms:
# alarm_email     = "on-call@example.com"
# alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:on-call"

zip_jobs = {
  worker = {
    maximum_concurrency = 50
  }
}

# The xAPI ETL is deployed where it knows a ClickHouse:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
