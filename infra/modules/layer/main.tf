# Third-party packages for functions. Up to 50 MB the zip travels inside the API call.

resource "aws_lambda_layer_version" "this" {
  layer_name               = var.name
  description              = var.description
  filename                 = var.package_path
  source_code_hash         = filebase64sha256(var.package_path)
  compatible_runtimes      = [var.runtime]
  compatible_architectures = [var.architecture]

  # The functions move to the new version before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}
