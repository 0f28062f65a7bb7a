# The dataset download, used alone as a team with its own Terraform would.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "./tests/mocks"
}

variables {
  name_prefix    = "acme-test"
  lambda_zip_dir = "./tests/fixtures/lambdas"
  layer_zip_dir  = "./tests/fixtures/layers"
}

run "by_default_it_streams_by_the_web_adapter_and_roles_may_do_their_work_and_nothing_else" {
  module {
    source = "./services/dataset_download"
  }

  assert {
    condition = [output.bucket_name, output.export_bucket_name, local.bucket_name, local.export_bucket_name] == [
      output.bucket_name,
      "acme-test-exports-111122223333-eu-west-1",
      "acme-test-dataset-111122223333-eu-west-1",
      "acme-test-exports-111122223333-eu-west-1",
    ]
    error_message = "The generated names are not unique per account and region."
  }

  assert {
    condition     = aws_lambda_function_url.download.invoke_mode == "RESPONSE_STREAM" && aws_lambda_function_url.download.authorization_type == "AWS_IAM" && length(aws_lambda_permission.anybody) == 0
    error_message = "The URL does not stream, or anybody may call it."
  }

  assert {
    condition     = local.adapter_arn == "arn:aws:lambda:eu-west-1:753240598075:layer:LambdaAdapterLayerX86:26"
    error_message = "The adapter's layer is not that of the region and the architecture."
  }

  assert {
    condition = toset(flatten([data.aws_iam_policy_document.read.statement[*].actions, data.aws_iam_policy_document.export[0].statement[*].actions])) == toset([
      "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject", "s3:AbortMultipartUpload",
    ])
    error_message = "What both functions may do changed."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.leave[0].statement).actions == toset(["lambda:InvokeFunction"]) && one(data.aws_iam_policy_document.leave[0].statement).resources == toset(["arn:aws:lambda:eu-west-1:111122223333:function:acme-test-dataset-export"])
    error_message = "The download may invoke others than the export function."
  }

  assert {
    condition     = length([for statement in data.aws_iam_policy_document.read.statement : statement if contains(statement.actions, "s3:PutObject")]) == 0
    error_message = "The functions may write datasets."
  }

  assert {
    condition     = length(aws_lambda_alias.live) == 0 && length(aws_codedeploy_app.this) == 0 && aws_lambda_function_url.download.qualifier == null && output.deployment == null
    error_message = "An alias is made that nobody asked for."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.error_rate[0].threshold == 5 && one([for query in aws_cloudwatch_metric_alarm.error_rate[0].metric_query : query.expression if query.id == "rate"]) == "100 * errors / requests"
    error_message = "An error rate above 5 % raises no alarm."
  }

  assert {
    condition     = keys(module.alarms.arns) == ["downloads-failed", "exports-failed"]
    error_message = "An alarm on what the functions count is missing."
  }
}

run "longest_generated_names_fit" {
  module {
    source = "./services/dataset_download"
  }

  variables {
    name_prefix = "sixteen-chars-ab-tencharsxx"
    canary      = true
  }

  override_data {
    target = data.aws_region.current
    values = { id = "ap-southeast-1", name = "ap-southeast-1" }
  }

  assert {
    condition     = alltrue([for name in [local.bucket_name, local.export_bucket_name, aws_iam_role.codedeploy[0].name] : length(name) <= 63])
    error_message = "The longest prefix in the longest region makes a name that AWS refuses."
  }
}

run "existing_buckets_are_left_alone" {
  module {
    source = "./services/dataset_download"
  }

  variables {
    create_bucket        = false
    bucket_name          = "acme-data"
    prefix               = "/public/"
    create_export_bucket = false
    export_bucket_name   = "acme-scratch"
    export_prefix        = "downloads"
  }

  assert {
    condition     = length(module.bucket) == 0 && length(module.export_bucket) == 0 && output.prefix == "public/"
    error_message = "A bucket that exists is made again."
  }

  assert {
    condition = { for statement in concat(data.aws_iam_policy_document.read.statement, data.aws_iam_policy_document.export[0].statement) : statement.sid => one(statement.resources) } == {
      ReadDatasets              = "arn:aws:s3:::acme-data/public/*"
      ListDatasets              = "arn:aws:s3:::acme-data"
      WriteExports              = "arn:aws:s3:::acme-scratch/downloads/*"
      SeeWhichExportsAreMissing = "arn:aws:s3:::acme-scratch"
    }
    error_message = "Reads and writes are not bound to the prefixes of the existing buckets."
  }
}

run "existing_bucket_needs_its_name" {
  command = plan

  module {
    source = "./services/dataset_download"
  }

  variables {
    create_bucket = false
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "takes_another_adapter_and_keys_are_usable_through_services_only" {
  module {
    source = "./services/dataset_download"
  }

  variables {
    web_adapter_layer_arn = "arn:aws:lambda:eu-west-1:111122223333:layer:adapter:1"
    common                = { architecture = "arm64", kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/ours" }
  }

  assert {
    condition     = local.adapter_arn == "arn:aws:lambda:eu-west-1:111122223333:layer:adapter:1" && endswith(local.adapter_layer_arn, "LambdaAdapterLayerArm64:26")
    error_message = "The layer that was named is not used."
  }

  assert {
    condition     = one(one([for statement in data.aws_iam_policy_document.read.statement : statement.condition if statement.sid == "UseKeysThroughServices"])).variable == "kms:ViaService"
    error_message = "The function may call KMS by itself."
  }
}

run "without_an_adapter_answers_are_buffered" {
  module {
    source = "./services/dataset_download"
  }

  variables {
    web_adapter       = false
    function_url_auth = "NONE"
  }

  assert {
    condition     = aws_lambda_function_url.download.invoke_mode == "BUFFERED" && local.adapter_arn == null
    error_message = "The URL is to stream what nothing streams to it."
  }

  assert {
    condition     = aws_lambda_permission.anybody[0].principal == "*" && aws_lambda_permission.anybody[0].function_url_auth_type == "NONE"
    error_message = "The open URL is not open."
  }
}

run "in_a_vpc_answers_are_buffered_and_without_exports_nothing_is_written" {
  module {
    source = "./services/dataset_download"
  }

  variables {
    download = { exports = false }
    common   = { vpc_config = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] } }
  }

  assert {
    condition     = aws_lambda_function_url.download.invoke_mode == "BUFFERED" && local.adapter_arn == null
    error_message = "A Function URL does not stream out of a VPC."
  }

  assert {
    condition     = length(module.export) == 0 && length(module.export_bucket) == 0 && length(module.failures) == 0 && length(data.aws_iam_policy_document.export) == 0 && output.export_bucket_name == "" && output.export_function_name == ""
    error_message = "Exports are off, and something of them is made all the same."
  }
}

run "cloudfront_alone_may_call_and_signs" {
  module {
    source = "./modules/cdn"
  }

  variables {
    name               = "acme-test-dataset-download"
    function_name      = "acme-test-dataset-download"
    origin_domain_name = "mockedurl.lambda-url.eu-west-1.on.aws"
  }

  assert {
    condition     = toset([for permission in aws_lambda_permission.cloudfront : permission.action]) == toset(["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"])
    error_message = "A Function URL behind CloudFront needs both permissions."
  }

  assert {
    condition     = alltrue([for permission in aws_lambda_permission.cloudfront : permission.principal == "cloudfront.amazonaws.com" && permission.source_arn == aws_cloudfront_distribution.this.arn])
    error_message = "Others than this distribution may call."
  }

  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always" && aws_cloudfront_origin_access_control.this.origin_access_control_origin_type == "lambda"
    error_message = "CloudFront does not sign."
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].origin_request_policy_id == null && aws_cloudfront_cache_policy.this.parameters_in_cache_key_and_forwarded_to_origin[0].headers_config[0].header_behavior == "none"
    error_message = "The viewer's Host is forwarded."
  }

  assert {
    condition     = aws_cloudfront_cache_policy.this.parameters_in_cache_key_and_forwarded_to_origin[0].query_strings_config[0].query_string_behavior == "all" && aws_cloudfront_cache_policy.this.min_ttl == 0
    error_message = "Answers to different queries are taken for the same, or kept longer than the origin says."
  }

  assert {
    condition     = alltrue([for answer in aws_cloudfront_distribution.this.custom_error_response : answer.error_caching_min_ttl == 5]) && contains([for answer in aws_cloudfront_distribution.this.custom_error_response : answer.error_code], 404)
    error_message = "Errors are kept for long."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.errors[0].metric_name == "5xxErrorRate"
    error_message = "Nobody hears of CloudFront's errors."
  }
}

run "own_domain_has_its_certificate_and_tls" {
  module {
    source = "./modules/cdn"
  }

  variables {
    name               = "acme-test-dataset-download"
    function_name      = "acme-test-dataset-download"
    origin_domain_name = "mockedurl.lambda-url.eu-west-1.on.aws"
    aliases            = ["data.example.com"]
    certificate_arn    = "arn:aws:acm:us-east-1:111122223333:certificate/one"
    web_acl_arn        = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/one/two"
    geo_restriction    = { type = "whitelist", countries = ["DE", "FR"] }
  }

  assert {
    condition     = aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021" && aws_cloudfront_distribution.this.viewer_certificate[0].ssl_support_method == "sni-only"
    error_message = "Old TLS is accepted."
  }

  assert {
    condition     = aws_cloudfront_distribution.this.web_acl_id == var.web_acl_arn && toset(aws_cloudfront_distribution.this.restrictions[0].geo_restriction[0].locations) == toset(["DE", "FR"])
    error_message = "The web ACL or the countries are not set."
  }
}

run "refuses_aliases_without_a_certificate" {
  command = plan

  module {
    source = "./modules/cdn"
  }

  variables {
    name               = "acme-test-dataset-download"
    function_name      = "acme-test-dataset-download"
    origin_domain_name = "mockedurl.lambda-url.eu-west-1.on.aws"
    aliases            = ["data.example.com"]
  }

  expect_failures = [aws_cloudfront_distribution.this]
}

run "refuses_what_cloudfront_would_refuse" {
  command = plan

  module {
    source = "./modules/cdn"
  }

  variables {
    name               = "acme-test-dataset-download"
    function_name      = "acme-test-dataset-download"
    origin_domain_name = "mockedurl.lambda-url.eu-west-1.on.aws"
    certificate_arn    = "arn:aws:acm:eu-west-1:111122223333:certificate/one"
    web_acl_arn        = "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/one/two"
    geo_restriction    = { type = "whitelist" }
    error_ttl_seconds  = 3600
    price_class        = "Cheap"
  }

  expect_failures = [var.certificate_arn, var.web_acl_arn, var.geo_restriction, var.error_ttl_seconds, var.price_class]
}

run "cdn_is_in_front_when_asked_and_canary_moves_an_alias" {
  module {
    source = "./services/dataset_download"
  }

  variables {
    cdn    = { enabled = true, aliases = ["data.example.com"], certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/one" }
    canary = true
  }

  assert {
    condition     = output.distribution_domain == "mocked.cloudfront.net" && local.environment.PUBLIC_BASE_URL == "https://data.example.com"
    error_message = "CloudFront is not there, or the pages do not know under which name they are seen."
  }

  assert {
    condition     = aws_lambda_function_url.download.qualifier == "live" && aws_codedeploy_deployment_group.this[0].deployment_config_name == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    error_message = "The URL does not invoke the alias, or the alias is moved at once."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this[0].alarm_configuration[0].alarms == toset(["acme-test-dataset-download-error-rate"]) && contains(aws_codedeploy_deployment_group.this[0].auto_rollback_configuration[0].events, "DEPLOYMENT_STOP_ON_ALARM")
    error_message = "Errors do not end the deployment."
  }

  assert {
    condition     = jsondecode(output.deployment.revision.appSpecContent.content).Resources[0].function.Properties.Alias == "live"
    error_message = "The deployment does not say what it moves."
  }
}

run "refuses_an_open_door_beside_cloudfront" {
  command = plan

  module {
    source = "./services/dataset_download"
  }

  variables {
    cdn               = { enabled = true }
    function_url_auth = "NONE"
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "refuses_out_of_range_values" {
  command = plan

  module {
    source = "./services/dataset_download"
  }

  variables {
    prefix                   = "a*"
    export_prefix            = "/"
    export_days              = 0
    function_url_auth        = "JWT"
    error_rate_alarm_percent = 100
    download                 = { stream_limit_mb = 201 }
    common                   = { log_level = "LOUD" }
  }

  expect_failures = [var.prefix, var.export_prefix, var.export_days, var.function_url_auth, var.error_rate_alarm_percent, var.common, var.download]
}
