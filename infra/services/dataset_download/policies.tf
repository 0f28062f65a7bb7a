# Least-privilege permissions of the functions.

locals {
  # Built from the names, because the functions depend on their policies.
  bucket_arn_prefix = "arn:${data.aws_partition.current.partition}:s3:::"
  bucket_arn        = "${local.bucket_arn_prefix}${local.bucket_name}"
  export_bucket_arn = "${local.bucket_arn_prefix}${local.export_bucket_name}"
  export_function_arn = format(
    "arn:%s:lambda:%s:%s:function:%s",
    data.aws_partition.current.partition,
    data.aws_region.current.id,
    data.aws_caller_identity.current.account_id,
    local.export_function_name,
  )

  kms_key_arns = distinct(concat(compact([var.common.kms_key_arn]), var.additional_kms_key_arns))
}

data "aws_iam_policy_document" "read" {
  # Reading a specific version is a separate action.
  statement {
    sid       = "ReadDatasets"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arn}/${local.prefix}*"]
  }

  # Used by the catalogue. Without this permission S3 returns 403 instead of 404 for a missing key. IfExists, because
  # s3:prefix is absent when S3 decides between 404 and 403.
  statement {
    sid       = "ListDatasets"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = ["${local.prefix}*"]
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
          for service in ["s3", "sqs"] :
          "${service}.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
        ]
      }
    }
  }
}

data "aws_iam_policy_document" "export" {
  count = var.download.exports ? 1 : 0

  # Read access is required because a presigned URL grants only what its signer may read. s3:PutObject also covers
  # creating, filling and completing a multipart upload.
  statement {
    sid       = "WriteExports"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${local.export_bucket_arn}/${local.export_prefix}*"]
  }

  statement {
    sid       = "SeeWhichExportsAreMissing"
    actions   = ["s3:ListBucket"]
    resources = [local.export_bucket_arn]

    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = ["${local.export_prefix}*"]
    }
  }
}

data "aws_iam_policy_document" "leave" {
  count = var.download.exports ? 1 : 0

  statement {
    sid       = "LeaveExportsToTheOther"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.export_function_arn]
  }
}

data "aws_iam_policy_document" "fail" {
  count = var.download.exports ? 1 : 0

  statement {
    sid       = "ReportFailures"
    actions   = ["sqs:SendMessage"]
    resources = [module.failures[0].arn]
  }
}
