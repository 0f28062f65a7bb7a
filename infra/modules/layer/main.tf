# Third-party packages for functions. Up to 50 MB the zip may travel inside the API call; above that, through a bucket.

# A key of its own for each content: the version before is still there when the new one is made.
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

  # The functions move to the new version before the old one goes.
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
