# ZIP jobs: a list of S3 keys becomes one ZIP in S3. HTTP API → enqueue → queue → worker; the table holds
# the jobs' states, the settler closes the jobs of messages that became dead letters.

data "aws_caller_identity" "current" {
  lifecycle {
    precondition {
      condition     = (var.create_src_bucket || var.src_bucket_name != null) && (var.create_dst_bucket || var.dst_bucket_name != null)
      error_message = "An existing bucket needs its name: set src_bucket_name where create_src_bucket is false, dst_bucket_name where create_dst_bucket is."
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Bucket names are unique in all of AWS: the account and the region make them so.
  bucket_suffix   = "${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  src_bucket_name = coalesce(var.src_bucket_name, "${var.name_prefix}-zip-src-${local.bucket_suffix}")
  dst_bucket_name = coalesce(var.dst_bucket_name, "${var.name_prefix}-zip-dst-${local.bucket_suffix}")

  # The first of each is what a request means that names no bucket.
  source_buckets = concat(
    [var.create_src_bucket ? module.src_bucket[0].name : local.src_bucket_name],
    var.additional_src_bucket_names,
  )
  target_buckets = concat(
    [var.create_dst_bucket ? module.dst_bucket[0].name : local.dst_bucket_name],
    var.additional_dst_bucket_names,
  )
}

module "src_bucket" {
  source = "../../modules/bucket"
  count  = var.create_src_bucket ? 1 : 0

  bucket_name = local.src_bucket_name
  common      = var.common
}

module "dst_bucket" {
  source = "../../modules/bucket"
  count  = var.create_dst_bucket ? 1 : 0

  bucket_name = local.dst_bucket_name
  common      = var.common

  # A page that may call the API may fetch the archives, too.
  cors_allow_origins = var.cors_allow_origins

  # The worker deletes a job's key list, plan and state at its end; this is for jobs that never got there. Archives end
  # with their jobs; the worker tags them, since a request may choose their prefix.
  expirations = merge(
    { key-lists = { prefix = ".zip-jobs/", days = 7 } },
    var.expire_archives ? { archives = { tag = { key = "sluice-zip-jobs", value = "archive" }, days = var.job_ttl_days } } : {},
  )
}

module "table" {
  source = "../../modules/table"

  name          = "${var.name_prefix}-zip-jobs"
  hash_key      = "jobId"
  attributes    = { jobId = "S", day = "S", createdAt = "S", owner = "S" }
  ttl_attribute = "ttl"
  common        = var.common

  # The newest jobs first: a day's jobs for operators, an owner's for the owner.
  indexes = {
    byDay   = { hash_key = "day", range_key = "createdAt" }
    byOwner = { hash_key = "owner", range_key = "createdAt" }
  }
}

module "queue" {
  source = "../../modules/queue"

  name              = "${var.name_prefix}-zip-jobs"
  retention_seconds = var.queue_retention_seconds
  max_receive_count = var.max_receive_count
  common            = var.common

  # AWS advises six times the function's timeout, so that a batch that was throttled is not received
  # again too early, and demands once. Once is right here: the batch is one message, and the worker sets
  # the message's own visibility to its lease and extends that while it works, so that a job whose
  # worker died is taken up again after a minute and not after 90.
  visibility_timeout_seconds = var.worker.timeout_seconds

  oldest_message_alarm_seconds = var.oldest_message_alarm_seconds

  # The settler takes known jobs out of the dead-letter queue; what stays is for a human.
  dlq_alarm_periods = 3
}

module "layer" {
  source   = "../../modules/layer"
  for_each = toset(["powertools", "pydantic"])

  name         = "${var.name_prefix}-zip-${each.key}"
  description  = "${each.key} for ZIP jobs"
  package_path = "${var.layer_zip_dir}/${each.key}.zip"
  architecture = var.common.architecture
}

module "api" {
  source = "../../modules/http_api"

  name        = "${var.name_prefix}-zip-jobs"
  description = "Makes, reports, lists and cancels ZIP jobs"

  functions = {
    enqueue = { name = module.enqueue.name, invoke_arn = module.enqueue.invoke_arn }
    status  = { name = module.status.name, invoke_arn = module.status.invoke_arn }
  }

  routes = {
    "POST /zip-jobs"           = "enqueue"
    "GET /zip-jobs"            = "status"
    "GET /zip-jobs/{jobId}"    = "status"
    "DELETE /zip-jobs/{jobId}" = "status"
    "$default"                 = "status"
  }

  auth                   = var.api_auth
  jwt                    = var.jwt_issuer == null ? null : { issuer = var.jwt_issuer, audience = var.jwt_audience }
  cors                   = length(var.cors_allow_origins) == 0 ? null : { allow_origins = var.cors_allow_origins }
  throttling_rate_limit  = var.throttling_rate_limit
  throttling_burst_limit = var.throttling_burst_limit
  common                 = var.common
}

# The worker answers no failure to Lambda either: a job that fails is a job that ends. Its log lines are counted, in a
# namespace that tells deployments apart, since metrics with a default have no dimensions.
locals {
  metrics_namespace = "Sluice/${var.name_prefix}"

  # Metric to the event that it counts, and to the field that it adds up instead of ones.
  counted = {
    JobsReady     = { event = "job_ready", value = "1" }
    JobsFailed    = { event = "job_failed", value = "1" }
    JobsRetried   = { event = "job_retry", value = "1" }
    BytesArchived = { event = "job_ready", value = "$.bytes" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "worker" {
  for_each = local.counted

  name           = each.key
  log_group_name = module.worker.log_group_name
  pattern        = "{ $.event = \"${each.value.event}\" }"

  metric_transformation {
    name          = each.key
    namespace     = local.metrics_namespace
    value         = each.value.value
    default_value = "0"
  }
}

module "alarms" {
  source = "../../modules/alarms"

  name_prefix = "${var.name_prefix}-zip-worker"
  common      = var.common

  # A job that names what is not there is its caller's mistake. Most jobs failing is ours.
  alarms = {
    jobs-failed = {
      description = "At least 3 ZIP jobs failed within 15 minutes, and more than were made."
      runbook     = "jobs-failed"
      namespace   = local.metrics_namespace
      expression  = "IF(failed >= 3, 100 * failed / (failed + ready), 0)"
      metrics     = { failed = "JobsFailed", ready = "JobsReady" }
      dimensions  = {}
      statistic   = "Sum"
      threshold   = 50

      period_seconds = 900
    }
  }
}
