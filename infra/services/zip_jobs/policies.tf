# What each function may do, and nothing beside. The key lists, plans and states of jobs live under .zip-jobs/ in
# the target buckets.

locals {
  bucket_arn_prefix  = "arn:${data.aws_partition.current.partition}:s3:::"
  source_bucket_arns = [for name in local.source_buckets : "${local.bucket_arn_prefix}${name}"]
  target_bucket_arns = [for name in local.target_buckets : "${local.bucket_arn_prefix}${name}"]
  source_object_arns = [for arn in local.source_bucket_arns : "${arn}/*"]
  target_object_arns = [for arn in local.target_bucket_arns : "${arn}/*"]
  key_list_arns      = [for arn in local.target_bucket_arns : "${arn}/.zip-jobs/*"]

  # Keys are used by the services for the functions, never by the functions' own calls to KMS.
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

  # A request tells its caller's role or user, and not what that is tagged with.
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

  # A signed address can do what its signer can: without these, the download would be refused.
  statement {
    sid       = "SignDownloads"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = local.target_object_arns
  }

  # Without it S3 answers 403 where an archive is gone, not 404.
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

  # A job that takes longer than an invocation queues its own continuation.
  statement {
    sid       = "ContinueJobs"
    actions   = ["sqs:SendMessage"]
    resources = [module.queue.arn]
  }

  # Reading a version is an action of its own; so is asking for the checksums of an object's parts. S3 copies
  # what the function could read.
  statement {
    sid       = "ReadMembers"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"]
    resources = local.source_object_arns
  }

  # For prefixes; and without it S3 answers 403 where a key is missing, not 404.
  statement {
    sid       = "ListSources"
    actions   = ["s3:ListBucket"]
    resources = local.source_bucket_arns
  }

  # s3:PutObject stands for making, filling and completing an upload too; the tag is what archives expire by.
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

  # Without it S3 answers 403 where a state is missing, not 404. IfExists, since the prefix is not there to compare
  # when S3 chooses between the two.
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
    actions   = ["dynamodb:UpdateItem"]
    resources = [module.table.arn]
  }

  # What it does not delete it makes visible again at once.
  statement {
    sid       = "TakeDeadLetters"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    resources = [module.queue.dlq_arn]
  }

  # A worker that was killed on its last try leaves an unfinished upload.
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

# For those who write to encrypted buckets and queues. Decrypt, since S3 reads a multipart upload's parts
# back to join them, and SQS its data key.
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
