# One module per service; each can be switched off, and used alone from elsewhere.

locals {
  name_prefix      = "${var.project_name}-${var.environment}"
  alarm_topic_arns = concat(compact([var.alarm_topic_arn]), aws_sns_topic.alarms[*].arn)
}

module "zip_jobs" {
  source = "./services/zip_jobs"
  count  = var.enable_zip_jobs ? 1 : 0

  name_prefix    = local.name_prefix
  lambda_zip_dir = var.lambda_zip_dir
  layer_zip_dir  = var.layer_zip_dir
  architecture   = var.architecture
  tags           = { Service = "zip-jobs" }

  create_src_bucket           = var.create_src_bucket
  src_bucket_name             = var.src_bucket_name
  additional_src_bucket_names = var.zip_jobs.additional_src_bucket_names
  create_dst_bucket           = var.create_dst_bucket
  dst_bucket_name             = var.dst_bucket_name
  additional_dst_bucket_names = var.zip_jobs.additional_dst_bucket_names
  dst_prefix                  = var.dst_prefix
  force_destroy               = var.force_destroy
  abort_upload_after_days     = var.abort_upload_after_days

  presign_ttl_seconds     = var.presign_ttl_seconds
  job_ttl_days            = var.zip_jobs.job_ttl_days
  queue_retention_seconds = var.zip_jobs.queue_retention_seconds
  max_receive_count       = var.zip_jobs.max_receive_count
  settle_schedule         = var.zip_jobs.settle_schedule
  worker                  = var.zip_jobs.worker

  api_auth               = var.api_auth
  jwt_issuer             = var.jwt_issuer
  jwt_audience           = var.jwt_audience
  cors_allow_origins     = var.zip_jobs.cors_allow_origins
  throttling_rate_limit  = var.zip_jobs.throttling_rate_limit
  throttling_burst_limit = var.zip_jobs.throttling_burst_limit

  kms_key_arn              = var.kms_key_arn
  bucket_kms_key_arns      = var.zip_jobs.bucket_kms_key_arns
  permissions_boundary_arn = var.permissions_boundary_arn
  vpc_config               = var.vpc_config
  tracing_enabled          = var.tracing_enabled
  require_tls              = var.require_tls
  deletion_protection      = var.deletion_protection

  log_level                    = var.log_level
  log_retention_days           = var.log_retention_days
  alarms_enabled               = var.alarms_enabled
  alarm_topic_arns             = local.alarm_topic_arns
  oldest_message_alarm_seconds = var.zip_jobs.oldest_message_alarm_seconds
}
