# Everything that an environment deploys, for tests/infra/test_limits.py and `make cost`: they give the environment's file
# and look at what a mocked apply makes.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "./tests/mocks"
}

variables {
  lambda_zip_dir  = "./tests/fixtures/lambdas"
  layer_zip_dir   = "./tests/fixtures/layers"
  aws_region      = "eu-west-1"
  enable_xapi_etl = true
  clickhouse_url  = "https://clickhouse.example.com:8443"
}

run "everything" {
  assert {
    condition     = output.aws_region == "eu-west-1"
    error_message = "The environment is deployed elsewhere."
  }
}
