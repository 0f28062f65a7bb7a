# What the functions may do, and nothing beside.

locals {
  # From their names, as the functions' policies come before the functions.
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
  # Reading a version is an action of its own.
  statement {
    sid       = "ReadDatasets"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arn}/${local.prefix}*"]
  }

  # For the catalogue; and without it S3 answers 403 where a key is missing, not 404. IfExists, since the prefix is
  # not there to compare when S3 chooses between the two.
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
          for service in ["s3", "sqs"] :
          "${service}.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
        ]
      }
    }
  }
}

data "aws_iam_policy_document" "export" {
  count = var.download.exports ? 1 : 0

  # Reading, since an address is good for what its signer may read. s3:PutObject stands for making, filling and
  # completing an upload too.
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
