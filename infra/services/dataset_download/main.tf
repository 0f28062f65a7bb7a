# Dataset download: serves Parquet in S3 as CSV, JSON and Parquet over HTTPS. Function URL → function → dataset bucket.
# Results that are too large for a response go through the export bucket. CloudFront in front is optional.

data "aws_caller_identity" "current" {
  lifecycle {
    precondition {
      condition     = var.create_bucket || var.bucket_name != null
      error_message = "create_bucket = false requires bucket_name."
    }

    precondition {
      condition     = var.create_export_bucket || var.export_bucket_name != null || !var.download.exports
      error_message = "create_export_bucket = false requires export_bucket_name."
    }

    precondition {
      condition     = !local.streams || local.adapter_arn != null
      error_message = "AWS publishes no layer of the Lambda Web Adapter for this partition, region and architecture: set web_adapter_layer_arn to a copy of your own, or web_adapter to false (responses of up to 6 MB, exports for the rest)."
    }

    precondition {
      condition     = !var.cdn.enabled || var.function_url_auth == "AWS_IAM"
      error_message = "With cdn.enabled, function_url_auth must be AWS_IAM: CloudFront signs its requests, and nobody can bypass it."
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  all_alarms = var.common.alarms_enabled && !var.common.essential_alarms_only

  # Bucket names are globally unique: account and region are part of generated names.
  bucket_suffix      = "${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  bucket_name        = coalesce(var.bucket_name, "${var.name_prefix}-dataset-${local.bucket_suffix}")
  export_bucket_name = coalesce(var.export_bucket_name, "${var.name_prefix}-exports-${local.bucket_suffix}")

  prefix        = trim(var.prefix, "/") == "" ? "" : "${trim(var.prefix, "/")}/"
  export_prefix = "${trim(var.export_prefix, "/")}/"
}

module "bucket" {
  source = "../../modules/bucket"
  count  = var.create_bucket ? 1 : 0

  bucket_name                = local.bucket_name
  noncurrent_expiration_days = var.noncurrent_days
  common                     = var.common

  # Objects move on day 0: Intelligent-Tiering monitors access itself, which costs less than a transition later.
  transitions = var.intelligent_tiering ? { tiering = { days = 0, storage_class = "INTELLIGENT_TIERING" } } : {}
}

module "export_bucket" {
  source = "../../modules/bucket"
  count  = var.create_export_bucket && var.download.exports ? 1 : 0

  bucket_name = local.export_bucket_name
  common      = merge(var.common, { force_destroy = true }) # whoever needs an export can request it again

  expirations = {
    exports = { prefix = local.export_prefix, days = var.export_days }
  }
}

# Exports that failed after all retries, each with its event and error.
module "failures" {
  source = "../../modules/dead_letter_queue"
  count  = var.download.exports ? 1 : 0

  name              = "${var.name_prefix}-export-failures"
  alarm_description = "${local.export_function_name} failed in all its tries: ${var.name_prefix}-export-failures holds the events. Runbook: failed-invocations"
  common            = var.common
}

module "cdn" {
  source = "../../modules/cdn"
  count  = var.cdn.enabled ? 1 : 0

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  name                   = local.function_name
  function_name          = module.download.name
  function_qualifier     = local.alias_name
  origin_domain_name     = trimsuffix(trimprefix(aws_lambda_function_url.download.function_url, "https://"), "/")
  origin_timeout_seconds = min(60, var.download.timeout_seconds)
  aliases                = var.cdn.aliases
  certificate_arn        = var.cdn.certificate_arn
  web_acl_arn            = var.cdn.web_acl_arn
  geo_restriction        = var.cdn.geo_restriction
  default_ttl_seconds    = var.cdn.default_ttl_seconds
  max_ttl_seconds        = var.cdn.max_ttl_seconds
  error_ttl_seconds      = var.cdn.error_ttl_seconds
  price_class            = var.cdn.price_class
  log_bucket_domain_name = var.cdn.log_bucket_domain_name
  alarms_enabled         = local.all_alarms
  alarm_topic_arns       = var.us_east_1_alarm_topic_arns
  tags                   = var.common.tags
}

module "queries" {
  source = "../../modules/query_definitions"

  name_prefix     = "${var.name_prefix}/dataset-download"
  folder          = "${path.module}/../../queries/dataset_download"
  log_group_names = concat([module.download.log_group_name], module.export[*].log_group_name)
  queries_enabled = var.common.queries_enabled
}
