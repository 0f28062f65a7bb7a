# Like production, but its data may be lost.

environment     = "staging"
force_destroy   = true
tracing_enabled = true

# Without one of these, alarms notify nobody:
# alarm_email     = "team@example.com"
# alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:team"

# The xAPI ETL is deployed if a ClickHouse is configured:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
