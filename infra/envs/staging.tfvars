# Like production, but it can be thrown away.

environment     = "staging"
force_destroy   = true
tracing_enabled = true

# Set one, or nobody hears the alarms:
# alarm_email     = "team@example.com"
# alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:team"

# The xAPI ETL is deployed where it knows a ClickHouse:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
