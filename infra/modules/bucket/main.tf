# A private bucket: TLS only, encrypted, versioned, owner enforced. Its lifecycle removes data that nobody can read
# (parts of incomplete uploads, old versions).

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access logs need a bucket of the account's own choosing; a module that made one for each bucket would log the logs
  #checkov:skip=CKV_AWS_144:Replication is a decision on the data, made by the service that needs it
  #checkov:skip=CKV2_AWS_62:Notifications belong to the service that consumes them (one configuration per bucket)
  bucket        = var.bucket_name
  force_destroy = var.common.force_destroy
  tags          = var.common.tags
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # One data key per bucket and hour instead of one KMS call per object.
    bucket_key_enabled = var.common.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.common.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.common.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  # S3 accepts rules on noncurrent versions before versioning is enabled, but they would have no effect.
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    id     = "abort-stale-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = var.common.abort_upload_after_days
    }
  }

  rule {
    id     = "expire-noncurrent-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_expiration_days
    }

    # Without this, delete markers would stay forever.
    expiration {
      expired_object_delete_marker = true
    }
  }

  dynamic "rule" {
    for_each = var.expirations

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value.prefix

        dynamic "tag" {
          for_each = rule.value.tag == null ? [] : [rule.value.tag]

          content {
            key   = tag.value.key
            value = tag.value.value
          }
        }
      }

      expiration {
        days = rule.value.days
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }
    }
  }

  # Objects below 128 KB are not moved: transition and index would cost more than they save.
  dynamic "rule" {
    for_each = var.transitions

    content {
      id     = "transition-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      transition {
        days          = rule.value.days
        storage_class = rule.value.storage_class
      }
    }
  }
}

# For browser scripts that fetch presigned URLs. A plain link does not need CORS.
resource "aws_s3_bucket_cors_configuration" "this" {
  count = length(var.cors_allow_origins) == 0 ? 0 : 1

  bucket = aws_s3_bucket.this.id

  cors_rule {
    allowed_origins = var.cors_allow_origins
    allowed_methods = ["GET", "HEAD"]
    allowed_headers = ["*"]
    expose_headers  = ["Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag"]
    max_age_seconds = 3600
  }
}

# A separate resource, so that it can be enabled for a bucket that contains objects; the bucket's own argument would
# replace the bucket. It is irreversible: S3 cannot disable object lock.
resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = var.object_lock == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = var.policy_documents

  dynamic "statement" {
    for_each = var.common.require_tls ? [1] : []

    content {
      sid       = "DenyPlainHttp"
      effect    = "Deny"
      actions   = ["s3:*"]
      resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["false"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  count = var.common.require_tls || length(var.policy_documents) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.this.json

  # S3 returns 409 to concurrent configuration changes of a new bucket.
  depends_on = [aws_s3_bucket_public_access_block.this, aws_s3_bucket_ownership_controls.this]
}
