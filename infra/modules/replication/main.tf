# S3 replication of every new object to another bucket of the same account, under a dedicated role. Deletions are not
# replicated.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  rule_id         = "everything"
  source_arn      = "arn:${data.aws_partition.current.partition}:s3:::${var.source_bucket_name}"
  destination_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.destination_bucket_name}"
  kms_via         = ["s3.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"]
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.source_arn]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Role of S3 for copying ${var.source_bucket_name} to ${var.destination_bucket_name}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.common.permissions_boundary_arn
  tags                 = var.common.tags
}

data "aws_iam_policy_document" "copy" {
  statement {
    sid       = "FindObjects"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [local.source_arn]
  }

  statement {
    sid       = "ReadObjects"
    actions   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    resources = ["${local.source_arn}/*"]
  }

  # No s3:ReplicateDelete: the copies outlive their originals.
  statement {
    sid       = "WriteCopies"
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${local.destination_arn}/*"]
  }

  dynamic "statement" {
    for_each = length(var.source_kms_key_arns) == 0 ? [] : [1]

    content {
      sid       = "DecryptOriginals"
      actions   = ["kms:Decrypt"]
      resources = var.source_kms_key_arns

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = local.kms_via
      }

      # With a bucket key the encryption context is the bucket's ARN.
      condition {
        test     = "StringLike"
        variable = "kms:EncryptionContext:aws:s3:arn"
        values   = [local.source_arn, "${local.source_arn}/*"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.replica_kms_key_arn == null ? [] : [1]

    content {
      sid       = "EncryptCopies"
      actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
      resources = [var.replica_kms_key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = local.kms_via
      }

      condition {
        test     = "StringLike"
        variable = "kms:EncryptionContext:aws:s3:arn"
        values   = [local.destination_arn, "${local.destination_arn}/*"]
      }
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "replication"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.copy.json
}

resource "aws_s3_bucket_replication_configuration" "this" {
  bucket = var.source_bucket_name
  role   = aws_iam_role.this.arn

  rule {
    id       = local.rule_id
    priority = 0
    status   = "Enabled"

    filter {}

    delete_marker_replication {
      status = "Disabled"
    }

    # S3 skips objects that a KMS key encrypts unless this is enabled.
    dynamic "source_selection_criteria" {
      for_each = var.replica_kms_key_arn == null ? [] : [1]

      content {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }
    }

    destination {
      bucket = local.destination_arn

      # The alarms need these metrics.
      metrics {
        status = "Enabled"
      }

      dynamic "encryption_configuration" {
        for_each = var.replica_kms_key_arn == null ? [] : [1]

        content {
          replica_kms_key_id = var.replica_kms_key_arn
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = length(var.source_kms_key_arns) == 0 || var.replica_kms_key_arn != null
      error_message = "Objects that a KMS key encrypts are replicated only with a key for the replicas: set replica_kms_key_arn."
    }
  }
}

module "alarms" {
  source = "../alarms"

  name_prefix = var.name
  common      = var.common

  alarms = {
    latency = {
      description = "Copies of ${var.source_bucket_name} reach ${var.destination_bucket_name} over ${var.latency_alarm_seconds} s late."
      runbook     = "replication-latency"
      namespace   = "AWS/S3"
      metric_name = "ReplicationLatency"
      statistic   = "Maximum"
      threshold   = var.latency_alarm_seconds
      dimensions  = local.metric_dimensions
    }

    failures = {
      description = "S3 could not copy an object of ${var.source_bucket_name} to ${var.destination_bucket_name}."
      runbook     = "replication-failures"
      namespace   = "AWS/S3"
      metric_name = "OperationsFailedReplication"
      statistic   = "Sum"
      threshold   = 0
      dimensions  = local.metric_dimensions
    }
  }
}

locals {
  metric_dimensions = {
    SourceBucket      = var.source_bucket_name
    DestinationBucket = var.destination_bucket_name
    RuleId            = local.rule_id
  }
}
