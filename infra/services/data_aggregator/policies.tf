# Least-privilege permissions of the function, and of S3 on the queue.

locals {
  # Built from the names, because the queue policy contains the ARNs of the queue and of the bucket, whose notification
  # depends on the policy.
  bucket_arn_prefix       = "arn:${data.aws_partition.current.partition}:s3:::"
  source_bucket_arn       = "${local.bucket_arn_prefix}${local.source_bucket_name}"
  distribution_bucket_arn = "${local.bucket_arn_prefix}${local.distribution_bucket_name}"

  queue_name = "${var.name_prefix}-aggregator"
  queue_arn = format(
    "arn:%s:sqs:%s:%s:%s",
    data.aws_partition.current.partition,
    data.aws_region.current.id,
    data.aws_caller_identity.current.account_id,
    local.queue_name,
  )

  kms_key_arns = distinct(concat(compact([var.common.kms_key_arn]), var.bucket_kms_key_arns))
}

data "aws_iam_policy_document" "events" {
  statement {
    sid       = "TakeEventsOfTheSourceBucket"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]

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
      values   = [local.source_bucket_arn]
    }
  }

  lifecycle {
    # Each bundle would become a source again, in an endless loop.
    precondition {
      condition     = length(distinct([local.source_bucket_name, local.distribution_bucket_name, local.archive_bucket_name])) == 3
      error_message = "Source, distribution and archive must be three different buckets."
    }
  }
}

data "aws_iam_policy_document" "aggregator" {
  statement {
    sid = "TakeEvents"
    actions = [
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ChangeMessageVisibility",
    ]
    resources = [module.queue.arn]
  }

  # Reading a specific version is a separate action.
  statement {
    sid       = "ReadSources"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.source_bucket_arn}/*"]
  }

  # s3:PutObject also covers creating, filling and completing a multipart upload. Read access is required because a
  # worker that takes over checks in the manifest whether a bundle contains a source.
  statement {
    sid       = "WriteBundles"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"]
    resources = ["${local.distribution_bucket_arn}/*"]
  }

  # Without this permission S3 returns 403 instead of 404 for a missing key.
  statement {
    sid       = "SeeWhatIsMissing"
    actions   = ["s3:ListBucket"]
    resources = [local.source_bucket_arn, local.distribution_bucket_arn]
  }

  # A transaction requires the permissions of its parts. The batch write stores the reasons of dead letters. Read access
  # is required for the record that a rejected write returns.
  statement {
    sid       = "ClaimSources"
    actions   = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
    resources = [module.table.arn]
  }

  # Only AWS services use the keys on the function's behalf; the function does not call KMS. Decrypt is required because
  # S3 reads the parts of a multipart upload back to join them, and SQS its data key.
  dynamic "statement" {
    for_each = length(local.kms_key_arns) == 0 ? [] : [1]

    content {
      sid       = "UseKeysThroughServices"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = local.kms_key_arns

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values = [
          for service in ["dynamodb", "s3", "sqs"] :
          "${service}.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
        ]
      }
    }
  }
}
