# Least-privilege permissions of each function. Key lists, plans and states of jobs are under .zip-jobs/ in the target
# buckets.

locals {
  bucket_arn_prefix  = "arn:${data.aws_partition.current.partition}:s3:::"
  source_bucket_arns = [for name in local.source_buckets : "${local.bucket_arn_prefix}${name}"]
  target_bucket_arns = [for name in local.target_buckets : "${local.bucket_arn_prefix}${name}"]
  source_object_arns = [for arn in local.source_bucket_arns : "${arn}/*"]
  target_object_arns = [for arn in local.target_bucket_arns : "${arn}/*"]
  key_list_arns      = [for arn in local.target_bucket_arns : "${arn}/.zip-jobs/*"]

  # Only AWS services use the keys on the functions' behalf; the functions do not call KMS.
  kms_key_arns = distinct(concat(compact([var.common.kms_key_arn]), var.bucket_kms_key_arns))
  kms_via = [
    for service in ["dynamodb", "s3", "sqs"] :
    "${service}.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
  ]
}

data "aws_iam_policy_document" "enqueue" {
  source_policy_documents = [data.aws_iam_policy_document.encrypt.json]

  statement {
    sid       = "RecordJobs"
    actions   = ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:DeleteItem"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "StoreKeyLists"
    actions   = ["s3:PutObject"]
    resources = local.key_list_arns
  }

  statement {
    sid       = "QueueJobs"
    actions   = ["sqs:SendMessage"]
    resources = [module.queue.arn]
  }

  # A request identifies the caller's role or user, but not its tags.
  dynamic "statement" {
    for_each = try(var.allowed_prefixes.principal_tag, null) == null ? [] : [1]

    content {
      sid       = "ReadCallersTags"
      actions   = ["iam:ListRoleTags", "iam:ListUserTags"]
      resources = [for kind in ["role", "user"] : "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:${kind}/*"]
    }
  }
}

data "aws_iam_policy_document" "status" {
  source_policy_documents = [data.aws_iam_policy_document.decrypt.json]

  statement {
    sid       = "ReadAndCancelJobs"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }

  statement {
    sid       = "ListJobs"
    actions   = ["dynamodb:Query"]
    resources = [for name in ["byDay", "byOwner"] : "${module.table.arn}/index/${name}"]
  }

  # A presigned URL has the permissions of its signer: without these, S3 would reject the download.
  statement {
    sid       = "SignDownloads"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = local.target_object_arns
  }

  # Without this permission S3 returns 403 instead of 404 for a deleted archive.
  statement {
    sid       = "MissArchives"
    actions   = ["s3:ListBucket"]
    resources = local.target_bucket_arns
  }

  statement {
    sid       = "DeleteArchives"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = local.target_object_arns
  }
}

data "aws_iam_policy_document" "worker" {
  source_policy_documents = [data.aws_iam_policy_document.encrypt.json]

  statement {
    sid       = "LeaseJobs"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }

  statement {
    sid = "TakeJobs"
    actions = [
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ChangeMessageVisibility",
    ]
    resources = [module.queue.arn]
  }

  # A job that takes longer than one invocation queues its own continuation.
  statement {
    sid       = "ContinueJobs"
    actions   = ["sqs:SendMessage"]
    resources = [module.queue.arn]
  }

  # Reading a specific version is a separate action, as is reading the checksums of an object's parts. S3 copies only
  # objects that the function may read.
  statement {
    sid       = "ReadMembers"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"]
    resources = local.source_object_arns
  }

  # Used to list prefixes. Without this permission S3 returns 403 instead of 404 for a missing key.
  statement {
    sid       = "ListSources"
    actions   = ["s3:ListBucket"]
    resources = local.source_bucket_arns
  }

  # s3:PutObject also covers creating, filling and completing a multipart upload. Archives expire by their tag.
  statement {
    sid = "WriteArchives"
    actions = [
      "s3:PutObject",
      "s3:PutObjectTagging",
      "s3:AbortMultipartUpload",
      "s3:ListMultipartUploadParts",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
    ]
    resources = local.target_object_arns
  }

  statement {
    sid       = "FindUploads"
    actions   = ["s3:ListBucketMultipartUploads"]
    resources = local.target_bucket_arns
  }

  statement {
    sid       = "ReadKeyListsAndStates"
    actions   = ["s3:GetObject", "s3:DeleteObject"]
    resources = local.key_list_arns
  }

  # Without this permission S3 returns 403 instead of 404 for a missing state. IfExists, because s3:prefix is absent
  # when S3 decides between 404 and 403.
  statement {
    sid       = "FindStates"
    actions   = ["s3:ListBucket"]
    resources = local.target_bucket_arns

    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = [".zip-jobs/*"]
    }
  }
}

data "aws_iam_policy_document" "settler" {
  source_policy_documents = [data.aws_iam_policy_document.decrypt.json]

  statement {
    sid       = "SettleJobs"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }

  # The settler makes messages that it does not delete visible again at once.
  statement {
    sid       = "TakeDeadLetters"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    resources = [module.queue.dlq_arn]
  }

  # A worker that was killed on its last attempt leaves an incomplete multipart upload.
  statement {
    sid       = "FindUploads"
    actions   = ["s3:ListBucketMultipartUploads"]
    resources = local.target_bucket_arns
  }

  statement {
    sid       = "AbortUploads"
    actions   = ["s3:AbortMultipartUpload"]
    resources = local.target_object_arns
  }
}

# For functions that write to encrypted buckets and queues. Decrypt is required because S3 reads the parts of a
# multipart upload back to join them, and SQS its data key.
data "aws_iam_policy_document" "encrypt" {
  source_policy_documents = [data.aws_iam_policy_document.decrypt.json]

  dynamic "statement" {
    for_each = length(local.kms_key_arns) == 0 ? [] : [1]

    content {
      sid       = "EncryptThroughServices"
      actions   = ["kms:GenerateDataKey"]
      resources = local.kms_key_arns

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = local.kms_via
      }
    }
  }
}

data "aws_iam_policy_document" "decrypt" {
  dynamic "statement" {
    for_each = length(local.kms_key_arns) == 0 ? [] : [1]

    content {
      sid       = "DecryptThroughServices"
      actions   = ["kms:Decrypt"]
      resources = local.kms_key_arns

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = local.kms_via
      }
    }
  }
}
