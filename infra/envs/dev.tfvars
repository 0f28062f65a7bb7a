# Per developer or branch: cheap, and its data may be lost.

environment   = "dev"
force_destroy = true
log_level     = "DEBUG"

# Low idle cost: no dashboard ($3 a month), and only the alarms ($0.10 each) on dead letters and failed invocations.
# `make cost ENV=dev` prints the calculation.
dashboard_enabled     = false
essential_alarms_only = true

# Without one of these, alarms notify nobody:
# alarm_email     = "me@example.com"
# alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:developers"

# The xAPI ETL is deployed if a ClickHouse is configured:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
