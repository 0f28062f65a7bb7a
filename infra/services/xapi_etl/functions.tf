# The functions and their event sources. Their permissions are in policies.tf.

module "layer" {
  source   = "../../modules/layer"
  for_each = toset(["powertools", "xapi"])

  name                   = "${var.name_prefix}-xapi-${each.key}"
  description            = "${each.key} for the xAPI ETL"
  package_path           = "${var.layer_zip_dir}/${each.key}.zip"
  architecture           = var.common.architecture
  artifact_bucket        = each.key == "xapi" ? var.artifact_bucket : null
  shared_with_principals = var.layer_shared_with
}

module "function" {
  source   = "../../modules/lambda"
  for_each = local.partitions

  name                 = local.names[each.key]
  description          = "Loads JSON Lines from S3 into ClickHouse"
  handler              = "xapi_etl.app.lambda_handler"
  package_path         = "${var.lambda_zip_dir}/xapi_etl.zip"
  layer_arns           = [module.layer["powertools"].arn, module.layer["xapi"].arn]
  memory_mb            = var.etl.memory_mb
  ephemeral_storage_mb = var.etl.ephemeral_storage_mb
  timeout_seconds      = var.etl.timeout_seconds
  reserved_concurrency = var.etl.reserved_concurrency

  # The function works until its safety margin, in which it only returns its response.
  duration_alarm_seconds = var.etl.timeout_seconds - var.etl.lambda_timeout_safety_margin_ms / 2000

  policy_documents = [data.aws_iam_policy_document.etl[each.key].json]

  environment_variables = merge(
    local.environment,
    {
      FAILURE_DLQ_URL = module.queue[each.key].dlq_url
      DIAG_S3_PREFIX  = each.value
    },
    # Merged separately: otherwise plans would hide the whole environment as sensitive.
    nonsensitive(var.clickhouse_password == null) ? {} : { CLICKHOUSE_PASSWORD = var.clickhouse_password },
  )

  common = var.common
}

locals {
  # Unset values are omitted, so that the function uses its own defaults.
  given = {
    CLICKHOUSE_URL             = var.clickhouse.url
    CLICKHOUSE_HOST            = var.clickhouse.host
    CLICKHOUSE_PORT            = var.clickhouse.port
    CLICKHOUSE_PATH            = var.clickhouse.path
    CLICKHOUSE_INSERT_SQL      = var.clickhouse.insert_sql
    CLICKHOUSE_INSERT_COLUMNS  = length(var.clickhouse.insert_columns) == 0 ? null : join(",", var.clickhouse.insert_columns)
    CLICKHOUSE_USER            = var.clickhouse.user
    CLICKHOUSE_SECRET          = var.clickhouse.secret_arn
    CLICKHOUSE_SETTINGS        = length(var.clickhouse.settings) == 0 ? null : join(",", [for name, value in var.clickhouse.settings : "${name}=${value}"])
    CLICKHOUSE_TIMEOUT_SECONDS = var.clickhouse.timeout_seconds
    CLICKHOUSE_MAX_ATTEMPTS    = var.clickhouse.max_attempts
    COLUMN_MAP_S3_URI          = var.etl.column_map_s3_uri
  }

  environment = merge(
    { for name, value in local.given : name => tostring(value) if value != null },
    {
      CLICKHOUSE_SECURE                     = tostring(var.clickhouse.secure)
      CLICKHOUSE_DATABASE                   = var.clickhouse.database
      CLICKHOUSE_TABLE                      = var.clickhouse.table
      PARQUET_COMPRESSION                   = var.etl.parquet_compression
      TARGET_ROWS_PER_INSERT                = tostring(var.etl.target_rows_per_insert)
      MAX_ROWS_PER_INSERT                   = tostring(var.etl.max_rows_per_insert)
      MAX_PARQUET_BYTES_PER_INSERT          = tostring(var.etl.max_parquet_bytes_per_insert)
      MIN_REMAINING_TIME_TO_START_INSERT_MS = tostring(var.etl.min_remaining_time_to_start_insert_ms)
      LAMBDA_TIMEOUT_SAFETY_MARGIN_MS       = tostring(var.etl.lambda_timeout_safety_margin_ms)
      MAX_S3_OBJECT_BYTES                   = tostring(var.etl.max_s3_object_bytes)
      S3_CONNECT_TIMEOUT_SECONDS            = tostring(var.etl.s3_connect_timeout_seconds)
      S3_READ_TIMEOUT_SECONDS               = tostring(var.etl.s3_read_timeout_seconds)
      S3_MAX_ATTEMPTS                       = tostring(var.etl.s3_max_attempts)
      READ_CONCURRENCY                      = tostring(var.etl.read_concurrency)
      ITER_LOG_INTERVAL_SECONDS             = tostring(var.etl.iter_log_interval_seconds)
      COLUMN_MAP                            = var.etl.column_map
      STRICTNESS                            = local.strictness
      BAD_LINES                             = local.bad_lines
      BAD_LINES_MAX_RATIO                   = tostring(var.etl.bad_lines_max_ratio)
      MAX_LINE_BYTES                        = tostring(var.etl.max_line_bytes)
      QUARANTINE_BUCKET                     = local.quarantine_bucket_name
      QUARANTINE_PREFIX                     = var.quarantine_prefix
      MAX_RECEIVES                          = tostring(var.max_receive_count)
      DRY_RUN                               = tostring(var.etl.dry_run)
      DIAG_S3_BUCKET                        = local.bucket_name
      LOG_LEVEL                             = var.common.log_level
    },
  )
}

resource "aws_lambda_event_source_mapping" "etl" {
  for_each = local.partitions

  event_source_arn                   = module.queue[each.key].arn
  function_name                      = module.function[each.key].arn
  batch_size                         = var.etl.batch_size
  maximum_batching_window_in_seconds = var.etl.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.common.tags

  scaling_config {
    maximum_concurrency = var.etl.maximum_concurrency
  }

  lifecycle {
    precondition {
      condition     = var.etl.reserved_concurrency == -1 || var.etl.maximum_concurrency <= var.etl.reserved_concurrency
      error_message = "etl.maximum_concurrency must not be above etl.reserved_concurrency: throttled receives would use up max_receive_count."
    }
  }
}
