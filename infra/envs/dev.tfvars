# Each developer's or branch's own: cheap, and its data may be lost.

environment   = "dev"
force_destroy = true
log_level     = "DEBUG"

# The xAPI ETL is deployed where it knows a ClickHouse:
# clickhouse_url = "https://clickhouse.example.com:8443"
# xapi_etl       = { clickhouse = { secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:clickhouse-Ab1Cd2" } }
