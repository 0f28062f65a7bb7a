# xAPI ETL: loads JSON Lines from S3 into ClickHouse. Bucket → queue → function → ClickHouse. A partition is a key
# prefix of the bucket with its own queue and function.

data "aws_caller_identity" "current" {
  lifecycle {
    precondition {
      condition     = var.create_bucket || var.bucket_name != null
      error_message = "create_bucket = false requires bucket_name."
    }

    precondition {
      condition     = var.clickhouse.url != null || var.clickhouse.host != null || var.etl.dry_run
      error_message = "No ClickHouse is configured: set clickhouse.url or clickhouse.host (or etl.dry_run)."
    }

    precondition {
      condition     = var.clickhouse.secret_arn == null || (var.clickhouse.user == null && nonsensitive(var.clickhouse_password == null))
      error_message = "Set either clickhouse.secret_arn, or clickhouse.user and clickhouse_password, but not both."
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Bucket names are globally unique: account and region are part of generated names.
  bucket_suffix          = "${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  bucket_name            = coalesce(var.bucket_name, "${var.name_prefix}-xapi-${local.bucket_suffix}")
  quarantine_bucket_name = coalesce(var.quarantine_bucket_name, local.bucket_name)

  # The function's own defaults, repeated here because the permission on the quarantine depends on them.
  uses_shipped_mapping = var.etl.column_map == "xapi" && var.etl.column_map_s3_uri == null
  bad_lines            = coalesce(var.etl.bad_lines, local.uses_shipped_mapping ? "quarantine" : "fail")
  strictness           = coalesce(var.etl.strictness, local.uses_shipped_mapping ? "statement" : "json")

  # Without partitions there is a single one, whose name is not part of resource names.
  partitions = length(var.partitions) == 0 ? { all = var.source_prefix } : var.partitions
  names = {
    for partition in keys(local.partitions) :
    partition => length(var.partitions) == 0 ? "${var.name_prefix}-xapi-etl" : "${var.name_prefix}-xapi-etl-${partition}"
  }
}

module "bucket" {
  source = "../../modules/bucket"
  count  = var.create_bucket ? 1 : 0

  bucket_name = local.bucket_name
  common      = var.common

  # quarantine_days is the time to inspect rejected lines.
  expirations = local.quarantine_bucket_name == local.bucket_name ? {
    quarantine = { prefix = var.quarantine_prefix, days = var.quarantine_days }
  } : {}
}

module "queue" {
  source   = "../../modules/queue"
  for_each = local.partitions

  name                       = local.names[each.key]
  visibility_timeout_seconds = 6 * var.etl.timeout_seconds
  retention_seconds          = var.queue_retention_seconds
  dlq_retention_seconds      = var.dlq_retention_seconds
  max_receive_count          = var.max_receive_count
  policy_documents           = [data.aws_iam_policy_document.events[each.key].json]
  common                     = var.common

  oldest_message_alarm_seconds = var.oldest_message_alarm_seconds
}

# S3 keeps one notification configuration per bucket: a second one, created elsewhere for this bucket, would replace
# this one.
resource "aws_s3_bucket_notification" "source" {
  count = var.create_notification ? 1 : 0

  bucket = var.create_bucket ? module.bucket[0].name : local.bucket_name

  dynamic "queue" {
    for_each = local.filters

    content {
      id            = queue.value.id
      queue_arn     = module.queue[queue.value.partition].arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value.prefix == "" ? null : queue.value.prefix
      filter_suffix = queue.value.suffix == "" ? null : queue.value.suffix
    }
  }
}

locals {
  # An S3 notification rule has one suffix, so each partition has one rule per suffix.
  filters = flatten([
    for partition, prefix in local.partitions : [
      for suffix in length(var.source_suffixes) == 0 ? [""] : var.source_suffixes :
      { id = replace("${local.names[partition]}${suffix}", ".", "-"), partition = partition, prefix = prefix, suffix = suffix }
    ]
  ])
}

module "alarms" {
  source   = "../../modules/alarms"
  for_each = local.partitions

  name_prefix = local.names[each.key]
  common      = var.common

  alarms = {
    bad-lines = {
      description = "${local.names[each.key]} met lines that are no statements."
      runbook     = "bad-lines"
      namespace   = "Sluice"
      metric_name = "BadLines"
      dimensions  = { service = "xapi_etl", function_name = local.names[each.key] }
      statistic   = "Sum"
      threshold   = 0
    }

    inserts-failed = {
      description = "${local.names[each.key]} could not insert: ClickHouse refuses, or does not answer."
      runbook     = "inserts-failed"
      namespace   = "Sluice"
      metric_name = "InsertsFailed"
      dimensions  = { service = "xapi_etl", function_name = local.names[each.key] }
      statistic   = "Sum"
      threshold   = 0
    }

    # Failed inserts and bad lines also fail their objects, and have their own alarms.
    objects-failed = {
      description = "${local.names[each.key]} could not load objects, for neither their lines nor ClickHouse."
      runbook     = "objects-failed"
      namespace   = "Sluice"
      expression  = "IF(bad + inserts > 0, 0, objects)"
      metrics     = { objects = "ObjectsFailed", bad = "BadLines", inserts = "InsertsFailed" }
      dimensions  = { service = "xapi_etl", function_name = local.names[each.key] }
      statistic   = "Sum"
      threshold   = 0
    }
  }
}

module "queries" {
  source = "../../modules/query_definitions"

  name_prefix     = "${var.name_prefix}/xapi-etl"
  folder          = "${path.module}/../../queries/xapi_etl"
  log_group_names = [for function in module.function : function.log_group_name]
  queries_enabled = var.common.queries_enabled
}
