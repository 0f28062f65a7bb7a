terraform {
  required_version = ">= 1.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"

      # CloudFront is told of, and tells of itself, in us-east-1 alone.
      configuration_aliases = [aws.us_east_1]
    }
  }
}
