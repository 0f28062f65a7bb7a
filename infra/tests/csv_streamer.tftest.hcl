# The CSV streamer, used alone as a team with its own Terraform would.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix    = "acme-test"
  lambda_zip_dir = "./tests/fixtures/lambdas"
  layer_zip_dir  = "./tests/fixtures/layers"
}

run "by_default_a_bucket_is_generated_and_long_runs_go_on_by_themselves" {
  module {
    source = "./services/csv_streamer"
  }

  assert {
    condition     = local.bucket_name == "acme-test-csv-111122223333-eu-west-1" && length(module.bucket) == 1
    error_message = "The bucket is not made under a name unique per account and region."
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.run) == 0 && length(aws_lambda_permission.run) == 0
    error_message = "A schedule is made that nobody asked for."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.streamer.statement : [statement.actions, statement.resources] if statement.sid == "ContinueRuns"] == [[toset(["lambda:InvokeFunction"]), toset(["arn:aws:lambda:eu-west-1:111122223333:function:acme-test-csv-streamer", "arn:aws:lambda:eu-west-1:111122223333:function:acme-test-csv-streamer:*"])]]
    error_message = "The function may not invoke itself, or may invoke others."
  }
}

run "longest_generated_bucket_name_fits" {
  module {
    source = "./services/csv_streamer"
  }

  variables {
    name_prefix = "sixteen-chars-ab-tencharsxx"
  }

  override_data {
    target = data.aws_region.current
    values = { id = "ap-southeast-1", name = "ap-southeast-1" }
  }

  assert {
    condition     = length(local.bucket_name) <= 63
    error_message = "The longest prefix in the longest region makes a bucket name over 63 characters."
  }
}

run "existing_bucket_is_left_alone" {
  module {
    source = "./services/csv_streamer"
  }

  variables {
    create_bucket       = false
    bucket_name         = "acme-lake"
    path_prefix         = "/landing/"
    additional_prefixes = ["reference/daily"]
  }

  assert {
    condition     = length(module.bucket) == 0 && output.bucket_name == "acme-lake"
    error_message = "A bucket that exists is made again."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.streamer.statement : statement.resources if statement.sid == "WriteFiles"] == [toset(["arn:aws:s3:::acme-lake/landing/*", "arn:aws:s3:::acme-lake/reference/daily/*"])]
    error_message = "The function may write beside its prefixes, or not to all of them."
  }

  assert {
    condition     = one(one([for statement in data.aws_iam_policy_document.streamer.statement : statement.condition if statement.sid == "ListOwnPrefixes"])).values == tolist(["config/*", ".csv-streamer/*", "landing/*", "reference/daily/*"])
    error_message = "The function may list beside its prefixes, or not all of them."
  }
}

run "existing_bucket_needs_a_name" {
  command = plan

  module {
    source = "./services/csv_streamer"
  }

  variables {
    create_bucket = false
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "role_may_do_its_work_and_nothing_else" {
  module {
    source = "./services/csv_streamer"
  }

  variables {
    streamer = { continue_async = false }
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.streamer.statement : statement.sid] == ["ReadParameters", "KeepRunStates", "WriteFiles", "ListOwnPrefixes", "ReportFailures"]
    error_message = "A permission came or went."
  }

  assert {
    condition = toset(flatten(data.aws_iam_policy_document.streamer.statement[*].actions)) == toset([
      "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListBucket",
      "sqs:SendMessage",
    ])
    error_message = "csv-streamer's actions changed."
  }

  assert {
    condition = alltrue([
      for resource in flatten(data.aws_iam_policy_document.streamer.statement[*].resources) :
      can(regex("^arn:aws:[a-z0-9]+:[a-z0-9-]*:[0-9]*:[^*]+(/[*])?$", resource))
    ])
    error_message = "The policy names a resource more loosely than by its ARN."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.streamer.statement : statement.resources if statement.sid == "ReadParameters"] == [toset(["arn:aws:s3:::acme-test-csv-111122223333-eu-west-1/config/parameters.json"])]
    error_message = "The function may read more of the configuration than its parameters."
  }
}

run "schedule_secrets_and_keys_are_used_as_named" {
  module {
    source = "./services/csv_streamer"
  }

  variables {
    secret_arns             = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:source-*"]
    additional_kms_key_arns = ["arn:aws:kms:eu-west-1:111122223333:key/secrets"]
    schedule                = "cron(0 5 * * ? *)"
    common                  = { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/ours" }
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.streamer.statement : [statement.actions, statement.resources] if statement.sid == "ReadSecrets"] == [[toset(["secretsmanager:GetSecretValue"]), toset(["arn:aws:secretsmanager:eu-west-1:111122223333:secret:source-*"])]]
    error_message = "The secret is not readable, or others are."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.streamer.statement : statement.resources if statement.sid == "UseKeysThroughServices"] == [toset(["arn:aws:kms:eu-west-1:111122223333:key/ours", "arn:aws:kms:eu-west-1:111122223333:key/secrets"])]
    error_message = "The keys are not usable, or others are."
  }

  assert {
    condition     = one(one([for statement in data.aws_iam_policy_document.streamer.statement : statement.condition if statement.sid == "UseKeysThroughServices"])).variable == "kms:ViaService"
    error_message = "The function may call KMS by itself."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.run[0].schedule_expression == "cron(0 5 * * ? *)" && aws_cloudwatch_event_target.run[0].arn == module.function.arn && aws_lambda_permission.run[0].source_arn == aws_cloudwatch_event_rule.run[0].arn
    error_message = "The function is not invoked by its own schedule alone."
  }
}

run "refuses_settings_that_cannot_work" {
  command = plan

  module {
    source = "./services/csv_streamer"
  }

  variables {
    path_prefix         = "config/raw"
    additional_prefixes = ["any*"]
    schedule            = "daily"
    secret_arns         = ["*"]
    name_prefix         = "a-prefix-of-far-too-many-letters"
    common              = { log_level = "LOUD" }
  }

  expect_failures = [var.path_prefix, var.additional_prefixes, var.schedule, var.secret_arns, var.common, var.name_prefix]
}

run "refuses_parts_that_s3_would_refuse" {
  command = plan

  module {
    source = "./services/csv_streamer"
  }

  variables {
    streamer = { s3_part_mb = 4 }
  }

  expect_failures = [var.streamer]
}

run "refuses_an_end_before_the_start" {
  command = plan

  module {
    source = "./services/csv_streamer"
  }

  variables {
    streamer = { timeout_seconds = 60, stop_before_seconds = 60 }
  }

  expect_failures = [var.streamer]
}

run "refuses_no_concurrency" {
  command = plan

  module {
    source = "./services/csv_streamer"
  }

  variables {
    streamer = { concurrency = 0 }
  }

  expect_failures = [var.streamer]
}
