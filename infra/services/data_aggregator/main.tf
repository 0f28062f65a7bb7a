# Data aggregator: combines many small objects into few gzip bundles. Source bucket → queue → function → distribution
# bucket → archive bucket. The table records which source is in which bundle.

data "aws_caller_identity" "current" {
  lifecycle {
    precondition {
      condition = alltrue([
        var.create_source_bucket || var.source_bucket_name != null,
        var.create_distribution_bucket || var.distribution_bucket_name != null,
        var.create_archive_bucket || var.archive_bucket_name != null || !var.replication_enabled,
      ])
      error_message = "create_source_bucket, create_distribution_bucket and create_archive_bucket = false each require the name of the existing bucket: source_bucket_name, distribution_bucket_name, archive_bucket_name."
    }

    # The sum, although SQS counts a dead letter's age from its first send: a custom consumer may send it again.
    precondition {
      condition     = var.idempotency_ttl_days * 86400 > var.queue_retention_seconds + var.dlq_retention_seconds
      error_message = "idempotency_ttl_days must be longer than queue_retention_seconds and dlq_retention_seconds together: otherwise a late redrive would bundle its sources twice."
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Bucket names are globally unique: account and region are part of generated names.
  bucket_suffix            = "${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  source_bucket_name       = coalesce(var.source_bucket_name, "${var.name_prefix}-agg-src-${local.bucket_suffix}")
  distribution_bucket_name = coalesce(var.distribution_bucket_name, "${var.name_prefix}-agg-dst-${local.bucket_suffix}")
  archive_bucket_name      = coalesce(var.archive_bucket_name, "${var.name_prefix}-agg-arc-${local.bucket_suffix}")
}

module "source_bucket" {
  source = "../../modules/bucket"
  count  = var.create_source_bucket ? 1 : 0

  bucket_name = local.source_bucket_name
  common      = var.common
}

module "distribution_bucket" {
  source = "../../modules/bucket"
  count  = var.create_distribution_bucket ? 1 : 0

  bucket_name = local.distribution_bucket_name
  common      = var.common
}

module "archive_bucket" {
  source = "../../modules/bucket"
  count  = var.create_archive_bucket && var.replication_enabled ? 1 : 0

  bucket_name = local.archive_bucket_name
  object_lock = var.archive_object_lock
  common      = var.common

  # Bundle keys begin with a year. Manifests, under _manifests/, stay in a storage class with immediate access.
  transitions = {
    archive = { prefix = "2", days = var.archive_transition_days, storage_class = var.archive_storage_class }
  }
}

module "replication" {
  source = "../../modules/replication"
  count  = var.replication_enabled ? 1 : 0

  name                    = "${var.name_prefix}-agg-replication"
  source_bucket_name      = var.create_distribution_bucket ? module.distribution_bucket[0].name : local.distribution_bucket_name
  destination_bucket_name = var.create_archive_bucket ? module.archive_bucket[0].name : local.archive_bucket_name
  source_kms_key_arns     = local.kms_key_arns
  replica_kms_key_arn     = var.common.kms_key_arn
  latency_alarm_seconds   = var.replication_latency_alarm_seconds
  common                  = var.common
}

module "table" {
  source = "../../modules/table"

  name          = "${var.name_prefix}-aggregator-idempotency"
  hash_key      = "id"
  attributes    = { id = "S" }
  ttl_attribute = "expiration"
  common        = var.common
}

module "queue" {
  source = "../../modules/queue"

  name                       = local.queue_name
  visibility_timeout_seconds = 6 * var.aggregator.timeout_seconds
  retention_seconds          = var.queue_retention_seconds
  dlq_retention_seconds      = var.dlq_retention_seconds
  max_receive_count          = var.max_receive_count
  policy_documents           = [data.aws_iam_policy_document.events.json]
  common                     = var.common

  oldest_message_alarm_seconds = var.oldest_message_alarm_seconds
}

# S3 keeps one notification configuration per bucket: a second one, created elsewhere for this bucket, would replace
# this one. S3 sends a test message and rejects a queue that does not accept it, so the queue is created with its
# policy.
resource "aws_s3_bucket_notification" "source" {
  count = var.create_source_notification ? 1 : 0

  bucket = var.create_source_bucket ? module.source_bucket[0].name : local.source_bucket_name

  queue {
    id            = "aggregator"
    queue_arn     = module.queue.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = var.source_prefix
    filter_suffix = var.source_suffix
  }
}

module "alarms" {
  source = "../../modules/alarms"

  name_prefix = "${var.name_prefix}-aggregator"
  common      = var.common

  # S3 publishes this metric once a day.
  alarms = {
    distribution-objects = {
      description    = "${local.distribution_bucket_name} holds over ${var.distribution_objects_alarm} objects: whoever takes the bundles does not clear them."
      runbook        = "distribution-objects"
      namespace      = "AWS/S3"
      metric_name    = "NumberOfObjects"
      dimensions     = { BucketName = local.distribution_bucket_name, StorageType = "AllStorageTypes" }
      statistic      = "Maximum"
      threshold      = var.distribution_objects_alarm
      period_seconds = 86400
    }
  }
}

module "queries" {
  source = "../../modules/query_definitions"

  name_prefix     = "${var.name_prefix}/data-aggregator"
  folder          = "${path.module}/../../queries/data_aggregator"
  log_group_names = [module.function.log_group_name]
  queries_enabled = var.common.queries_enabled
}
