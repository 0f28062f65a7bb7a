# What the function may do, what S3 may send to the queue, and nothing beside.

locals {
  # From their names: the queue's policy names the queue itself and the bucket whose notification waits for it.
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
    # A bundle would come back as a source, for ever.
    precondition {
      condition     = length(distinct([local.source_bucket_name, local.distribution_bucket_name, local.archive_bucket_name])) == 3
      error_message = "Source, distribution and archive are three buckets."
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

  # Reading a version is an action of its own.
  statement {
    sid       = "ReadSources"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.source_bucket_arn}/*"]
  }

  # s3:PutObject stands for making, filling and completing an upload too. Reading, since a worker that takes over
  # looks in the manifest whether a bundle holds a source.
  statement {
    sid       = "WriteBundles"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"]
    resources = ["${local.distribution_bucket_arn}/*"]
  }

  # Without it S3 answers 403 where a key is missing, not 404.
  statement {
    sid       = "SeeWhatIsMissing"
    actions   = ["s3:ListBucket"]
    resources = [local.source_bucket_arn, local.distribution_bucket_arn]
  }

  # A transaction needs what its parts need; the batch is for the reasons of dead letters. Reading, for the record that a refused write is answered with.
  statement {
    sid       = "ClaimSources"
    actions   = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
    resources = [module.table.arn]
  }

  # Keys are used by the services for the function, never by the function's own calls to KMS. Decrypt, since S3
  # reads a multipart upload's parts back to join them, and SQS its data key.
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
