# ZIP jobs: packs a list of S3 objects into one ZIP archive in S3. HTTP API → enqueue → queue → worker. The table holds
# the jobs' states. The settler marks the jobs of dead letters as failed.

data "aws_caller_identity" "current" {
  lifecycle {
    precondition {
      condition     = (var.create_src_bucket || var.src_bucket_name != null) && (var.create_dst_bucket || var.dst_bucket_name != null)
      error_message = "create_src_bucket = false requires src_bucket_name, and create_dst_bucket = false requires dst_bucket_name."
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Bucket names are globally unique: account and region are part of generated names.
  bucket_suffix   = "${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  src_bucket_name = coalesce(var.src_bucket_name, "${var.name_prefix}-zip-src-${local.bucket_suffix}")
  dst_bucket_name = coalesce(var.dst_bucket_name, "${var.name_prefix}-zip-dst-${local.bucket_suffix}")

  # The first of each is the default for requests that name no bucket.
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

  # Browser origins that may call the API may also fetch the archives.
  cors_allow_origins = var.cors_allow_origins

  # The worker deletes the key list, plan and state of a job when it ends. The first rule covers jobs that never ended.
  # Archives expire with their jobs. The rule selects them by a tag, because a request may choose their prefix.
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

  # Indexes for listing jobs, newest first: by day for operators, by owner for everybody else.
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

  # AWS recommends six times the function's timeout, so that a throttled batch is not received again too early, and
  # requires at least one. One is right here: the batch is a single message, and the worker sets the message's
  # visibility to its lease and extends it while it works. So a job whose worker died is resumed after one minute
  # instead of 90.
  visibility_timeout_seconds = var.worker.timeout_seconds

  oldest_message_alarm_seconds = var.oldest_message_alarm_seconds

  # The settler removes known jobs from the dead-letter queue. Messages that stay need a human.
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

# A failed job does not fail the worker's invocation, so metric filters count its log lines. The namespace identifies
# the deployment, because metrics with a default value cannot have dimensions.
locals {
  metrics_namespace = "Sluice/${var.name_prefix}"

  # Each metric counts an event, or sums a field of it.
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

  # A single job that names a missing object is the caller's mistake. If most jobs fail, the cause is ours.
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
