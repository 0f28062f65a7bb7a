# CSV streamer: streams files from HTTP servers to S3 objects without using a disk. A schedule or a person invokes the
# function. The list of files is config/parameters.json in the target bucket.

data "aws_caller_identity" "current" {
  lifecycle {
    precondition {
      condition     = var.create_bucket || var.bucket_name != null
      error_message = "create_bucket = false requires bucket_name."
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  function_name = "${var.name_prefix}-csv-streamer"

  # Bucket names are globally unique: account and region are part of generated names.
  generated_name = "${var.name_prefix}-csv-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  bucket_name    = coalesce(var.bucket_name, local.generated_name)
}

module "bucket" {
  source = "../../modules/bucket"
  count  = var.create_bucket ? 1 : 0

  bucket_name = local.bucket_name
  common      = var.common

  # The function deletes its states, leases and joined parts at the end of a run. This rule covers runs that never
  # ended.
  expirations = {
    run-states = { prefix = ".csv-streamer/", days = 7 }
  }
}

# Invocations that failed after all retries, each with its event and error.
module "failures" {
  source = "../../modules/dead_letter_queue"

  name              = "${var.name_prefix}-csv-failures"
  alarm_description = "${local.function_name} failed in all its tries: ${var.name_prefix}-csv-failures holds the events. Runbook: failed-invocations"
  common            = var.common
}

module "layer" {
  source   = "../../modules/layer"
  for_each = toset(["powertools", "aiohttp"])

  name         = "${var.name_prefix}-csv-${each.key}"
  description  = "${each.key} for the CSV streamer"
  package_path = "${var.layer_zip_dir}/${each.key}.zip"
  architecture = var.common.architecture
}

module "function" {
  source = "../../modules/lambda"

  name                 = local.function_name
  description          = "Streams files from HTTP servers into S3"
  handler              = "csv_streamer.app.lambda_handler"
  package_path         = "${var.lambda_zip_dir}/csv_streamer.zip"
  layer_arns           = [module.layer["powertools"].arn, module.layer["aiohttp"].arn]
  memory_mb            = var.streamer.memory_mb
  ephemeral_storage_mb = 512
  timeout_seconds      = var.streamer.timeout_seconds
  reserved_concurrency = var.streamer.reserved_concurrency

  # The function hands over at stop_before_seconds before its timeout. An invocation that is still running in the last
  # third of this reserve has failed to stop.
  duration_alarm_seconds = var.streamer.timeout_seconds - var.streamer.stop_before_seconds / 3

  policy_documents = [data.aws_iam_policy_document.streamer.json]

  # Lambda's recursion detection stops a function that invokes itself about 16 times in a row. The function enforces its
  # own limit, max_hops.
  recursive_loop = var.streamer.continue_async ? "Allow" : null

  async = {
    maximum_event_age_seconds = var.streamer.maximum_event_age_seconds
    maximum_retry_attempts    = 2
    on_failure_queue_arn      = module.failures.arn
  }

  environment_variables = merge(
    {
      BUCKET_NAME          = var.create_bucket ? module.bucket[0].name : local.bucket_name
      PATH_PREFIX          = var.path_prefix
      CONCURRENCY          = var.streamer.concurrency
      S3_PART_MB           = var.streamer.s3_part_mb
      HTTP_CHUNK_KB        = var.streamer.http_chunk_kb
      UPLOAD_CONCURRENCY   = var.streamer.upload_concurrency
      RANGE_CONNECTIONS    = var.streamer.range_connections
      CONNECTIONS_PER_HOST = var.streamer.connections_per_host
      SUFFIX_MATCH         = var.streamer.suffix_match
      MAX_ATTEMPTS         = var.streamer.max_attempts
      MAX_FILE_GB          = var.streamer.max_file_gb
      ALLOW_PRIVATE_HOSTS  = var.streamer.allow_private_hosts
      SKIP_UNCHANGED       = var.streamer.skip_unchanged
      CONTINUE_ASYNC       = var.streamer.continue_async
      MAX_HOPS             = var.streamer.max_hops
      STOP_BEFORE_SECONDS  = var.streamer.stop_before_seconds
      STALL_SECONDS        = var.streamer.stall_seconds
      PROGRESS_SECONDS     = var.streamer.progress_seconds
      LOG_LEVEL            = var.common.log_level
    },
    var.streamer.suffix_map == null ? {} : { SUFFIX_MAP = jsonencode(var.streamer.suffix_map) },
    {
      for name, value in {
        HTTP_PROXY  = var.streamer.http_proxy
        HTTPS_PROXY = var.streamer.https_proxy
        NO_PROXY    = var.streamer.no_proxy
        CA_BUNDLE   = var.streamer.ca_bundle
      } : name => value if value != null
    },
  )

  common = var.common
}

resource "aws_cloudwatch_event_rule" "run" {
  count = var.schedule == null ? 0 : 1

  name                = local.function_name
  description         = "Streams the files of config/parameters.json"
  schedule_expression = var.schedule
  tags                = var.common.tags
}

resource "aws_cloudwatch_event_target" "run" {
  count = length(aws_cloudwatch_event_rule.run)

  rule = aws_cloudwatch_event_rule.run[0].name
  arn  = module.function.arn
}

resource "aws_lambda_permission" "run" {
  count = length(aws_cloudwatch_event_rule.run)

  statement_id  = "AllowSchedule"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.run[0].arn
}

# A failed file or unreadable parameters do not fail the invocation: the response reports the errors, and Lambda's
# Errors metric does not count them.
module "alarms" {
  source = "../../modules/alarms"

  name_prefix = local.function_name
  common      = var.common

  alarms = {
    files-failed = {
      description = "${local.function_name} could not stream a file."
      runbook     = "files-failed"
      namespace   = "Sluice"
      metric_name = "FilesFailed"
      dimensions  = { service = "csv_streamer", function_name = local.function_name }
      statistic   = "Sum"
      threshold   = 0
    }

    runs-failed = {
      description = "${local.function_name} could not do a run: parameters, settings, or something unforeseen."
      runbook     = "runs-failed"
      namespace   = "Sluice"
      metric_name = "RunsFailed"
      dimensions  = { service = "csv_streamer", function_name = local.function_name }
      statistic   = "Sum"
      threshold   = 0
    }
  }
}

module "queries" {
  source = "../../modules/query_definitions"

  name_prefix     = "${var.name_prefix}/csv-streamer"
  folder          = "${path.module}/../../queries/csv_streamer"
  log_group_names = [module.function.log_group_name]
  queries_enabled = var.common.queries_enabled
}
