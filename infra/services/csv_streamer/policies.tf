# Least-privilege permissions of the function.

locals {
  bucket_arn   = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket_name}"
  prefixes     = distinct([for prefix in concat([var.path_prefix], var.additional_prefixes) : trim(prefix, "/")])
  object_arns  = [for prefix in local.prefixes : "${local.bucket_arn}/${prefix}/*"]
  kms_key_arns = distinct(concat(compact([var.common.kms_key_arn]), var.additional_kms_key_arns))

  # Built from the name, because the function depends on the policy that contains the ARN.
  function_arn = format(
    "arn:%s:lambda:%s:%s:function:%s",
    data.aws_partition.current.partition,
    data.aws_region.current.id,
    data.aws_caller_identity.current.account_id,
    local.function_name,
  )
}

data "aws_iam_policy_document" "streamer" {
  statement {
    sid       = "ReadParameters"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arn}/config/parameters.json"]
  }

  # States and leases of runs, and the temporary objects in which parts are joined before they are copied to their keys.
  statement {
    sid = "KeepRunStates"
    actions = [
      "s3:GetObject",
      "s3:PutObject",
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
    ]
    resources = ["${local.bucket_arn}/.csv-streamer/*"]
  }

  # s3:PutObject also covers creating, filling and completing a multipart upload. An object with the wrong size is
  # deleted together with its version.
  statement {
    sid = "WriteFiles"
    actions = [
      "s3:PutObject",
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
    ]
    resources = local.object_arns
  }

  # Used to find the newest object of a file. Without this permission S3 returns 403 instead of 404 for a missing key.
  # IfExists, because s3:prefix is absent when S3 decides between 404 and 403.
  statement {
    sid       = "ListOwnPrefixes"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = [for prefix in concat(["config", ".csv-streamer"], local.prefixes) : "${prefix}/*"]
    }
  }

  statement {
    sid       = "ReportFailures"
    actions   = ["sqs:SendMessage"]
    resources = [module.failures.arn]
  }

  dynamic "statement" {
    for_each = var.streamer.continue_async ? [1] : []

    content {
      sid     = "ContinueRuns"
      actions = ["lambda:InvokeFunction"]
      # The function invokes itself as it was invoked: by name, version or alias.
      resources = [local.function_arn, "${local.function_arn}:*"]
    }
  }

  dynamic "statement" {
    for_each = length(var.secret_arns) == 0 ? [] : [1]

    content {
      sid       = "ReadSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = var.secret_arns
    }
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
          for service in ["s3", "secretsmanager", "sqs"] :
          "${service}.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
        ]
      }
    }
  }
}
