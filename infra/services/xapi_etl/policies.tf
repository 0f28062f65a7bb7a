# What the functions may do, what S3 may send to the queues, and nothing beside.

locals {
  # From their names: a queue's policy names the queue itself and the bucket whose notification waits for it.
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
    # Bad lines would come back as statements, be bad again, and so for ever.
    precondition {
      condition = (
        local.bad_lines != "quarantine" || local.quarantine_bucket_name != local.bucket_name
        || !(startswith(var.quarantine_prefix, each.value) || startswith(each.value, var.quarantine_prefix))
      )
      error_message = "The quarantine (quarantine_prefix = \"${var.quarantine_prefix}\") overlaps with what is loaded (the prefix \"${each.value}\") of the same bucket: its objects would be loaded, too. Set another prefix, quarantine_bucket_name, or etl.bad_lines to fail or skip."
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

  # Reading a version is an action of its own.
  statement {
    sid       = "ReadStatements"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arn}/${each.value}*"]
  }

  # Without it S3 answers 403 where a key is missing, not 404; diagnostics list, too. IfExists, since the prefix is
  # not there to compare when S3 chooses between the two.
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
      # Reading tells another version's bad lines from a repeated write.
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

  # Keys are used by the services for the function, never by the function's own calls to KMS.
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
