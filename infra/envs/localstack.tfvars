# A licensed LocalStack, started by the compose file (HTTP APIs are not in the free edition).

environment      = "localstack"
aws_endpoint_url = "http://127.0.0.1:4566"

api_auth      = "NONE"
force_destroy = true

# On loopback, plain HTTP is what there is.
require_tls    = false
alarms_enabled = false

zip_jobs = {
  settle_schedule = "rate(1 minute)"
  worker = {
    lease_seconds       = 15
    maximum_concurrency = 4
  }
}
