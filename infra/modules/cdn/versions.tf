terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"

      # CloudFront publishes its metrics only in us-east-1.
      configuration_aliases = [aws.us_east_1]
    }
  }
}
