# A licensed LocalStack, started by the compose file (HTTP APIs are not in the free edition).

environment      = "localstack"
aws_endpoint_url = "http://127.0.0.1:4566"

# An emulator does not limit concurrency.
account_concurrency = 1000

api_auth      = "NONE"
force_destroy = true

# Loopback has no TLS.
require_tls    = false
alarms_enabled = false

# The emulator has no PutQueryDefinition.
queries_enabled = false

zip_jobs = {
  settle_schedule = "rate(1 minute)"
  worker = {
    lease_seconds       = 15
    maximum_concurrency = 4
  }
}

# The sample files are served on loopback, and a demo needs frequent progress lines.
csv_streamer = {
  allow_private_hosts = true
  progress_seconds    = 1
}

# Small bundles at once instead of larger ones later.
data_aggregator = {
  batching_window_seconds = 2
  maximum_concurrency     = 4
}

# The ClickHouse of the offline stack, two ports after the emulator's (make passes it, too).
clickhouse_url = "http://127.0.0.1:4568"

xapi_etl = {
  batching_window_seconds = 2
  maximum_concurrency     = 2 # a conversion uses a whole CPU
  clickhouse              = { secure = false }
}

# The emulator has no Web Adapter. A server three ports after it streams instead (make passes its URL, too).
dataset_stream_url = "http://127.0.0.1:4569"

dataset_download = {
  function_url_auth = "NONE"
  web_adapter       = false
}
