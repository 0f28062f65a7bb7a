# The offline stack: MiniStack on loopback, at aws_endpoint_url (given by make, which knows the port).

environment      = "local"
aws_endpoint_url = "http://127.0.0.1:4566"

# An emulator has no such limit.
account_concurrency = 1000

api_auth      = "NONE"
force_destroy = true

# The emulator speaks plain HTTP only, and with IAM enforcement on it obeys the policy that denies that.
require_tls = false

# The emulator's alarms come back changed, so that every plan would differ.
alarms_enabled = false

# It has no PutQueryDefinition.
queries_enabled = false

# A minute is what a person waits for a killed worker's job to be taken up or given up.
zip_jobs = {
  settle_schedule = "rate(1 minute)"
  worker = {
    lease_seconds       = 15
    maximum_concurrency = 4
  }
}

# The sample files are served on loopback, and a demo wants to see something move.
csv_streamer = {
  allow_private_hosts = true
  progress_seconds    = 1
}

# Nobody wants to wait for a fuller bundle.
data_aggregator = {
  batching_window_seconds = 2
  maximum_concurrency     = 4
}

# The ClickHouse of the offline stack, two ports after the emulator's (given by make, too).
clickhouse_url = "http://127.0.0.1:4568"

xapi_etl = {
  batching_window_seconds = 2
  maximum_concurrency     = 2 # a conversion takes a whole processor
  clickhouse              = { secure = false }
}

# The emulator has no Web Adapter. A server three ports after it streams instead (given by make, too).
dataset_stream_url = "http://127.0.0.1:4569"

dataset_download = {
  function_url_auth = "NONE"
  web_adapter       = false
}
