locals {
  is_emulator = var.aws_endpoint_url != ""

  # Where CloudFront's metrics are. Credentials of China or GovCloud are refused by every region of another partition,
  # also where there is no CloudFront to look at.
  cdn_region = startswith(var.aws_region, "cn-") ? "cn-northwest-1" : startswith(var.aws_region, "us-gov-") ? var.aws_region : "us-east-1"
}

provider "aws" {
  region = var.aws_region

  # An emulator knows one made-up account. Against AWS all of these stay as the provider has them: the
  # credentials come from the environment, and the region and the account are checked.
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

# CloudFront's alarms are there, wherever the rest is.
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
