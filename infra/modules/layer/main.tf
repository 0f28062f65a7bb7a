# A layer with third-party packages. A zip of up to 50 MB can be part of the API call; a larger one is uploaded through
# a bucket.

# The key depends on the content, so that the previous zip still exists when the new one is uploaded.
resource "aws_s3_object" "package" {
  count = var.artifact_bucket == null ? 0 : 1

  bucket = var.artifact_bucket.name
  key    = "layers/${var.name}-${substr(filesha256(var.package_path), 0, 16)}.zip"
  source = var.package_path

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lambda_layer_version" "this" {
  layer_name               = var.name
  description              = var.description
  filename                 = var.artifact_bucket == null ? var.package_path : null
  s3_bucket                = one(aws_s3_object.package[*].bucket)
  s3_key                   = one(aws_s3_object.package[*].key)
  source_code_hash         = filebase64sha256(var.package_path)
  compatible_runtimes      = [var.runtime]
  compatible_architectures = [var.architecture]

  # Functions switch to the new version before the old one is deleted.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lambda_layer_version_permission" "use" {
  for_each = toset(var.shared_with_principals)

  layer_name     = aws_lambda_layer_version.this.layer_arn
  version_number = aws_lambda_layer_version.this.version
  statement_id   = "use-${each.value}"
  action         = "lambda:GetLayerVersion"
  principal      = each.value
}
