# The function and its event source. Its permissions are in policies.tf.

module "layer" {
  source   = "../../modules/layer"
  for_each = toset(["powertools", "isal", "zstd", "tracer"])

  name         = "${var.name_prefix}-agg-${each.key}"
  description  = "${each.key} for the data aggregator"
  package_path = "${var.layer_zip_dir}/${each.key}.zip"
  architecture = var.common.architecture
}

module "function" {
  source = "../../modules/lambda"

  name                 = "${var.name_prefix}-data-aggregator"
  description          = "Bundles many objects into one gzip file"
  handler              = "data_aggregator.app.lambda_handler"
  package_path         = "${var.lambda_zip_dir}/data_aggregator.zip"
  layer_arns           = [module.layer["powertools"].arn, module.layer["isal"].arn, module.layer["zstd"].arn, module.layer["tracer"].arn]
  memory_mb            = var.aggregator.memory_mb
  ephemeral_storage_mb = var.aggregator.ephemeral_storage_mb
  timeout_seconds      = var.aggregator.timeout_seconds
  reserved_concurrency = var.aggregator.reserved_concurrency

  # The function accepts sources until stop_before_seconds before its timeout and then finishes its bundle.
  duration_alarm_seconds = var.aggregator.timeout_seconds - var.aggregator.stop_before_seconds / 3

  policy_documents = [data.aws_iam_policy_document.aggregator.json]

  environment_variables = {
    DISTRIBUTION_BUCKET_NAME = var.create_distribution_bucket ? module.distribution_bucket[0].name : local.distribution_bucket_name
    SERVICE_NAME             = "data-aggregator"
    IDEMPOTENCY_TABLE_NAME   = module.table.name
    IDEMPOTENCY_TTL_DAYS     = var.idempotency_ttl_days
    MAX_BUNDLE_INPUT_MB      = var.aggregator.max_bundle_input_mb
    GZIP_LEVEL               = var.aggregator.gzip_level
    READ_CONCURRENCY         = var.aggregator.read_concurrency
    READ_AHEAD_MB            = var.aggregator.read_ahead_mb
    STOP_BEFORE_SECONDS      = var.aggregator.stop_before_seconds
    CLAIM_GRACE_SECONDS      = var.aggregator.claim_grace_seconds
    DISK_RESERVE_MB          = var.aggregator.disk_reserve_mb
    QUEUE_URL                = module.queue.url
    TRACING_ENABLED          = var.common.tracing_enabled
    LOG_LEVEL                = var.common.log_level
  }

  common = var.common
}

resource "aws_lambda_event_source_mapping" "aggregator" {
  event_source_arn                   = module.queue.arn
  function_name                      = module.function.arn
  batch_size                         = var.aggregator.batch_size
  maximum_batching_window_in_seconds = var.aggregator.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.common.tags

  scaling_config {
    maximum_concurrency = var.aggregator.maximum_concurrency
  }

  lifecycle {
    precondition {
      condition     = var.aggregator.reserved_concurrency == -1 || var.aggregator.maximum_concurrency <= var.aggregator.reserved_concurrency
      error_message = "aggregator.maximum_concurrency must not be above aggregator.reserved_concurrency: throttled receives would use up max_receive_count."
    }
  }
}
