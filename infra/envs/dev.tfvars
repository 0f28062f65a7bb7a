# Each developer's or branch's own: cheap, and its data may be lost.

environment   = "dev"
force_destroy = true
log_level     = "DEBUG"

# What stands idle costs little: no dashboard ($3 a month), and of the alarms ($0.10 each) those on what was given up.
# make cost ENV=dev does the arithmetic.
dashboard_enabled     = false
essential_alarms_only = true

# Set one, or nobody hears the alarms:
# alarm_email     = "me@example.com"
# alarm_topic_arn = "arn:aws:sns:us-east-1:111122223333:developers"

# The xAPI ETL is deployed where it knows a ClickHouse:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
