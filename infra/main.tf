# One module per service. Each can be disabled here, or used alone from another root.

locals {
  name_prefix      = "${var.project_name}-${var.environment}"
  alarm_topic_arns = concat(compact([var.alarm_topic_arn]), aws_sns_topic.alarms[*].arn)

  # Settings that all services share: the value of their variable `common`. Each call adds the service's tag.
  common = {
    architecture             = var.architecture
    force_destroy            = var.force_destroy
    abort_upload_after_days  = var.abort_upload_after_days
    deletion_protection      = var.deletion_protection
    kms_key_arn              = var.kms_key_arn
    permissions_boundary_arn = var.permissions_boundary_arn
    vpc_config               = var.vpc_config
    require_tls              = var.require_tls
    tracing_enabled          = var.tracing_enabled
    log_level                = var.log_level
    log_retention_days       = var.log_retention_days
    alarms_enabled           = var.alarms_enabled
    essential_alarms_only    = var.essential_alarms_only
    alarm_topic_arns         = local.alarm_topic_arns
    queries_enabled          = var.queries_enabled
  }

  # By default the xAPI ETL is deployed only if a ClickHouse is configured. With enable_xapi_etl = true and no
  # ClickHouse, the service's precondition reports what is missing.
  has_clickhouse   = var.clickhouse_url != null || var.xapi_etl.clickhouse.host != null
  xapi_etl_enabled = coalesce(var.enable_xapi_etl, local.has_clickhouse)

  # Concurrent invocations that the queues may start.
  event_source_concurrency = sum([
    var.enable_zip_jobs ? coalesce(var.zip_jobs.worker.maximum_concurrency, 2) : 0,
    var.enable_data_aggregator ? coalesce(var.data_aggregator.maximum_concurrency, 2) : 0,
    local.xapi_etl_enabled ? max(1, length(var.xapi_etl.partitions)) * coalesce(var.xapi_etl.maximum_concurrency, 2) : 0,
  ])

  # Only values known at plan time may be compared with null. The name is unknown until apply, so it is wrapped in an
  # object.
  create_artifact_bucket = (local.xapi_etl_enabled || var.enable_dataset_download) && var.artifact_bucket_name == null
  artifact_bucket        = { name = local.create_artifact_bucket ? module.artifact_bucket[0].name : var.artifact_bucket_name }
}

# An API call accepts zips of up to 50 MB. Layers near or above this limit are uploaded through this bucket.
module "artifact_bucket" {
  source = "./modules/bucket"
  count  = local.create_artifact_bucket ? 1 : 0

  bucket_name = "${local.name_prefix}-layers-${data.aws_caller_identity.current.account_id}-${var.aws_region}"
  common      = merge(local.common, { force_destroy = true }) # `make build` rebuilds its content
}

module "zip_jobs" {
  source = "./services/zip_jobs"
  count  = var.enable_zip_jobs ? 1 : 0

  name_prefix    = local.name_prefix
  lambda_zip_dir = var.lambda_zip_dir
  layer_zip_dir  = var.layer_zip_dir
  common         = merge(local.common, { tags = { Service = "zip-jobs" } })

  create_src_bucket           = var.create_src_bucket
  src_bucket_name             = var.src_bucket_name
  additional_src_bucket_names = var.zip_jobs.additional_src_bucket_names
  create_dst_bucket           = var.create_dst_bucket
  dst_bucket_name             = var.dst_bucket_name
  additional_dst_bucket_names = var.zip_jobs.additional_dst_bucket_names
  dst_prefix                  = var.dst_prefix

  presign_ttl_seconds     = var.presign_ttl_seconds
  job_ttl_days            = var.zip_jobs.job_ttl_days
  expire_archives         = var.zip_jobs.expire_archives
  queue_retention_seconds = var.zip_jobs.queue_retention_seconds
  max_receive_count       = var.zip_jobs.max_receive_count
  settle_schedule         = var.zip_jobs.settle_schedule
  worker                  = var.zip_jobs.worker

  api_auth               = var.api_auth
  jwt_issuer             = var.jwt_issuer
  jwt_audience           = var.jwt_audience
  operators              = var.zip_jobs.operators
  allowed_prefixes       = var.zip_jobs.allowed_prefixes
  cors_allow_origins     = var.zip_jobs.cors_allow_origins
  throttling_rate_limit  = var.zip_jobs.throttling_rate_limit
  throttling_burst_limit = var.zip_jobs.throttling_burst_limit

  bucket_kms_key_arns          = var.zip_jobs.bucket_kms_key_arns
  oldest_message_alarm_seconds = var.zip_jobs.oldest_message_alarm_seconds
}

module "csv_streamer" {
  source = "./services/csv_streamer"
  count  = var.enable_csv_streamer ? 1 : 0

  name_prefix    = local.name_prefix
  lambda_zip_dir = var.lambda_zip_dir
  layer_zip_dir  = var.layer_zip_dir
  common         = merge(local.common, { tags = { Service = "csv-streamer" } })

  create_bucket       = var.csv_streamer.create_bucket
  bucket_name         = var.csv_streamer.bucket_name
  path_prefix         = var.csv_streamer.path_prefix
  additional_prefixes = var.csv_streamer.additional_prefixes

  schedule                = var.csv_streamer.schedule
  secret_arns             = var.csv_streamer.secret_arns
  streamer                = var.csv_streamer # the module drops attributes that are not function settings
  additional_kms_key_arns = var.csv_streamer.additional_kms_key_arns
}

module "data_aggregator" {
  source = "./services/data_aggregator"
  count  = var.enable_data_aggregator ? 1 : 0

  name_prefix    = local.name_prefix
  lambda_zip_dir = var.lambda_zip_dir
  layer_zip_dir  = var.layer_zip_dir
  common         = merge(local.common, { tags = { Service = "data-aggregator" } })

  create_source_bucket       = var.data_aggregator.create_source_bucket
  source_bucket_name         = var.data_aggregator.source_bucket_name
  create_source_notification = var.data_aggregator.create_source_notification
  source_prefix              = var.data_aggregator.source_prefix
  source_suffix              = var.data_aggregator.source_suffix
  create_distribution_bucket = var.data_aggregator.create_distribution_bucket
  distribution_bucket_name   = var.data_aggregator.distribution_bucket_name
  replication_enabled        = var.data_aggregator.replication_enabled
  create_archive_bucket      = var.data_aggregator.create_archive_bucket
  archive_bucket_name        = var.data_aggregator.archive_bucket_name
  archive_storage_class      = var.data_aggregator.archive_storage_class
  archive_transition_days    = var.data_aggregator.archive_transition_days
  archive_object_lock        = var.data_aggregator.archive_object_lock
  create_glue_table          = var.data_aggregator.create_glue_table
  glue_first_hour            = var.data_aggregator.glue_first_hour

  queue_retention_seconds = var.data_aggregator.queue_retention_seconds
  dlq_retention_seconds   = var.data_aggregator.dlq_retention_seconds
  max_receive_count       = var.data_aggregator.max_receive_count
  idempotency_ttl_days    = var.data_aggregator.idempotency_ttl_days
  aggregator              = var.data_aggregator # the module drops attributes that are not function settings

  bucket_kms_key_arns               = var.data_aggregator.bucket_kms_key_arns
  oldest_message_alarm_seconds      = var.data_aggregator.oldest_message_alarm_seconds
  replication_latency_alarm_seconds = var.data_aggregator.replication_latency_alarm_seconds
  distribution_objects_alarm        = var.data_aggregator.distribution_objects_alarm
}

module "xapi_etl" {
  source = "./services/xapi_etl"
  count  = local.xapi_etl_enabled ? 1 : 0

  name_prefix    = local.name_prefix
  lambda_zip_dir = var.lambda_zip_dir
  layer_zip_dir  = var.layer_zip_dir
  common         = merge(local.common, { tags = { Service = "xapi-etl" } })

  create_bucket          = var.xapi_etl.create_bucket
  bucket_name            = var.xapi_etl.bucket_name
  create_notification    = var.xapi_etl.create_notification
  source_prefix          = var.xapi_etl.source_prefix
  source_suffixes        = var.xapi_etl.source_suffixes
  partitions             = var.xapi_etl.partitions
  quarantine_bucket_name = var.xapi_etl.quarantine_bucket_name
  quarantine_prefix      = var.xapi_etl.quarantine_prefix
  quarantine_days        = var.xapi_etl.quarantine_days
  artifact_bucket        = local.artifact_bucket
  layer_shared_with      = var.xapi_etl.layer_shared_with

  queue_retention_seconds = var.xapi_etl.queue_retention_seconds
  dlq_retention_seconds   = var.xapi_etl.dlq_retention_seconds
  max_receive_count       = var.xapi_etl.max_receive_count

  clickhouse          = merge(var.xapi_etl.clickhouse, { url = var.clickhouse_url })
  clickhouse_password = var.clickhouse_password
  etl                 = var.xapi_etl # the module drops attributes that are not function settings

  additional_kms_key_arns      = var.xapi_etl.additional_kms_key_arns
  oldest_message_alarm_seconds = var.xapi_etl.oldest_message_alarm_seconds
}

module "dataset_download" {
  source = "./services/dataset_download"
  count  = var.enable_dataset_download ? 1 : 0

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  name_prefix    = local.name_prefix
  lambda_zip_dir = var.lambda_zip_dir
  layer_zip_dir  = var.layer_zip_dir
  common         = merge(local.common, { tags = { Service = "dataset-download" } })

  create_bucket        = var.dataset_download.create_bucket
  bucket_name          = var.dataset_download.bucket_name
  prefix               = var.dataset_download.prefix
  noncurrent_days      = var.dataset_download.noncurrent_days
  intelligent_tiering  = var.dataset_download.intelligent_tiering
  create_export_bucket = var.dataset_download.create_export_bucket
  export_bucket_name   = var.dataset_download.export_bucket_name
  export_prefix        = var.dataset_download.export_prefix
  export_days          = var.dataset_download.export_days
  artifact_bucket      = local.artifact_bucket

  function_url_auth     = var.dataset_download.function_url_auth
  web_adapter           = var.dataset_download.web_adapter
  web_adapter_layer_arn = var.dataset_download.web_adapter_layer_arn
  canary                = var.dataset_download.canary
  cdn                   = var.dataset_download.cdn
  # Terraform drops the attributes that are not function settings. On the offline stack, pages show the URL of the
  # streaming server instead of the Function URL.
  download = merge(var.dataset_download, { public_base_url = try(coalesce(var.dataset_download.public_base_url, var.dataset_stream_url), null) })

  additional_kms_key_arns    = var.dataset_download.additional_kms_key_arns
  us_east_1_alarm_topic_arns = concat(var.dataset_download.us_east_1_alarm_topic_arns, var.aws_region == "us-east-1" ? local.alarm_topic_arns : [])
  error_rate_alarm_percent   = var.dataset_download.error_rate_alarm_percent
}
