# What the function may do, and nothing beside.

locals {
  bucket_arn   = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket_name}"
  prefixes     = distinct([for prefix in concat([var.path_prefix], var.additional_prefixes) : trim(prefix, "/")])
  object_arns  = [for prefix in local.prefixes : "${local.bucket_arn}/${prefix}/*"]
  kms_key_arns = distinct(concat(compact([var.common.kms_key_arn]), var.additional_kms_key_arns))

  # From its name: the function itself waits for the policy that says it.
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

  # States and leases of runs, and the objects that parts are joined in before they are copied to their keys.
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

  # s3:PutObject stands for making, filling and completing an upload too. An object whose size turns out wrong
  # is taken back, with the version that it made.
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

  # For finding the newest object of a file; and without it S3 answers 403 where a key is missing, not 404.
  # IfExists, since the prefix is not there to compare when S3 chooses between 404 and 403.
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
      # As it was called itself: by its name, or by a version or alias of it.
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
          for service in ["s3", "secretsmanager", "sqs"] :
          "${service}.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
        ]
      }
    }
  }
}
