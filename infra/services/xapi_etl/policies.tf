# Least-privilege permissions of the functions, and of S3 on the queues.

locals {
  # Built from the names, because a queue policy contains the ARNs of the queue and of the bucket, whose notification
  # depends on the policy.
  bucket_arn_prefix = "arn:${data.aws_partition.current.partition}:s3:::"
  bucket_arn        = "${local.bucket_arn_prefix}${local.bucket_name}"
  queue_arns = {
    for partition, name in local.names : partition => format(
      "arn:%s:sqs:%s:%s:%s",
      data.aws_partition.current.partition,
      data.aws_region.current.id,
      data.aws_caller_identity.current.account_id,
      name,
    )
  }

  kms_key_arns = distinct(concat(compact([var.common.kms_key_arn]), var.additional_kms_key_arns))
}

data "aws_iam_policy_document" "events" {
  for_each = local.partitions

  statement {
    sid       = "TakeEventsOfTheBucket"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arns[each.key]]

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
      values   = [local.bucket_arn]
    }
  }

  lifecycle {
    # Quarantined lines would be loaded again and rejected again, in an endless loop.
    precondition {
      condition = (
        local.bad_lines != "quarantine" || local.quarantine_bucket_name != local.bucket_name
        || !(startswith(var.quarantine_prefix, each.value) || startswith(each.value, var.quarantine_prefix))
      )
      error_message = "The quarantine (quarantine_prefix = \"${var.quarantine_prefix}\") overlaps with the objects to load (the prefix \"${each.value}\") of the same bucket: its objects would be loaded, too. Set another prefix, quarantine_bucket_name, or etl.bad_lines to fail or skip."
    }
  }
}

data "aws_iam_policy_document" "etl" {
  for_each = local.partitions

  statement {
    sid       = "TakeEvents"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [module.queue[each.key].arn]
  }

  statement {
    sid       = "CopyWhatFailedForGood"
    actions   = ["sqs:SendMessage"]
    resources = [module.queue[each.key].dlq_arn]
  }

  # Reading a specific version is a separate action.
  statement {
    sid       = "ReadStatements"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arn}/${each.value}*"]
  }

  # Without this permission S3 returns 403 instead of 404 for a missing key. Diagnostics also list. IfExists, because
  # s3:prefix is absent when S3 decides between 404 and 403.
  statement {
    sid       = "SeeWhatIsMissing"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = ["${each.value}*"]
    }
  }

  dynamic "statement" {
    for_each = local.bad_lines == "quarantine" ? [1] : []

    content {
      sid = "PutBadLinesAside"
      # Read access distinguishes the bad lines of another version from a repeated write.
      actions   = ["s3:PutObject", "s3:GetObject"]
      resources = ["${local.bucket_arn_prefix}${local.quarantine_bucket_name}/${var.quarantine_prefix}*"]
    }
  }

  dynamic "statement" {
    for_each = var.etl.column_map_s3_uri == null ? [] : [var.etl.column_map_s3_uri]

    content {
      sid       = "ReadColumnMap"
      actions   = ["s3:GetObject"]
      resources = ["${local.bucket_arn_prefix}${trimprefix(statement.value, "s3://")}"]
    }
  }

  dynamic "statement" {
    for_each = var.clickhouse.secret_arn == null ? [] : [var.clickhouse.secret_arn]

    content {
      sid       = "ReadSecret"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }

  # Only AWS services use the keys on the function's behalf; the function does not call KMS.
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
          for service in ["s3", "secretsmanager", "sqs"] :
          "${service}.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
        ]
      }
    }
  }
}
