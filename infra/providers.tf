locals {
  is_emulator = var.aws_endpoint_url != ""

  # Region of CloudFront's metrics. Credentials of China or GovCloud are rejected by regions of other partitions, even
  # if CloudFront is not used.
  cdn_region = startswith(var.aws_region, "cn-") ? "cn-northwest-1" : startswith(var.aws_region, "us-gov-") ? var.aws_region : "us-east-1"
}

provider "aws" {
  region = var.aws_region

  # An emulator has one fictitious account. For AWS all of these keep the provider's defaults: credentials come from the
  # environment, and region and account are checked.
  access_key                  = local.is_emulator ? "test" : null
  secret_key                  = local.is_emulator ? "test" : null
  s3_use_path_style           = local.is_emulator
  skip_credentials_validation = local.is_emulator
  skip_metadata_api_check     = local.is_emulator

  dynamic "endpoints" {
    for_each = local.is_emulator ? [var.aws_endpoint_url] : []

    content {
      apigatewayv2 = endpoints.value
      cloudfront   = endpoints.value
      cloudwatch   = endpoints.value
      codedeploy   = endpoints.value
      dynamodb     = endpoints.value
      events       = endpoints.value
      glue         = endpoints.value
      iam          = endpoints.value
      lambda       = endpoints.value
      logs         = endpoints.value
      s3           = endpoints.value
      sns          = endpoints.value
      sqs          = endpoints.value
      sts          = endpoints.value
    }
  }

  default_tags {
    tags = merge(
      {
        Project     = var.project_name
        Environment = var.environment
        ManagedBy   = "terraform"
      },
      var.tags,
    )
  }
}

# CloudFront's alarms are in this region, whatever the deployment's own region.
provider "aws" {
  alias  = "us_east_1"
  region = local.cdn_region

  access_key                  = local.is_emulator ? "test" : null
  secret_key                  = local.is_emulator ? "test" : null
  s3_use_path_style           = local.is_emulator
  skip_credentials_validation = local.is_emulator
  skip_metadata_api_check     = local.is_emulator

  dynamic "endpoints" {
    for_each = local.is_emulator ? [var.aws_endpoint_url] : []

    content {
      cloudwatch = endpoints.value
      sts        = endpoints.value
    }
  }

  default_tags {
    tags = merge(
      {
        Project     = var.project_name
        Environment = var.environment
        ManagedBy   = "terraform"
      },
      var.tags,
    )
  }
}
