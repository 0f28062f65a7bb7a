# The xAPI ETL, used alone as a team with its own Terraform would.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix    = "acme-test"
  lambda_zip_dir = "./tests/fixtures/lambdas"
  layer_zip_dir  = "./tests/fixtures/layers"
  clickhouse     = { url = "https://clickhouse.example.com:8443" }
}

run "by_default_one_function_may_do_its_work_and_nothing_else" {
  module {
    source = "./services/xapi_etl"
  }

  assert {
    condition     = output.function_names["all"] == "acme-test-xapi-etl" && length(output.function_names) == 1 && output.prefixes["all"] == "statements/"
    error_message = "Without partitions there is not one function for the prefix."
  }

  assert {
    condition     = local.bucket_name == "acme-test-xapi-111122223333-eu-west-1"
    error_message = "The generated name is not unique per account and region."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.events["all"].statement).actions == toset(["sqs:SendMessage"]) && one(one(data.aws_iam_policy_document.events["all"].statement).principals).identifiers == toset(["s3.amazonaws.com"])
    error_message = "Others than S3 may send, or S3 may do more."
  }

  assert {
    condition = { for condition in one(data.aws_iam_policy_document.events["all"].statement).condition : condition.variable => condition.values } == {
      "aws:SourceAccount" = tolist(["111122223333"])
      "aws:SourceArn"     = tolist(["arn:aws:s3:::acme-test-xapi-111122223333-eu-west-1"])
    }
    error_message = "Other buckets or accounts may have S3 send to the queue."
  }

  assert {
    condition = toset(flatten(data.aws_iam_policy_document.etl["all"].statement[*].actions)) == toset([
      "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage",
      "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject",
    ])
    error_message = "The function's actions changed."
  }

  assert {
    condition     = [local.environment.STRICTNESS, local.environment.BAD_LINES, local.environment.BAD_LINES_MAX_RATIO, local.environment.MAX_LINE_BYTES] == ["statement", "quarantine", "1", "33554432"]
    error_message = "With the shipped mapping lines are not checked to be statements, or bad ones not kept."
  }

  assert {
    condition = alltrue([
      for resource in flatten(data.aws_iam_policy_document.etl["all"].statement[*].resources) :
      can(regex("^arn:aws:[a-z0-9]+:[a-z0-9-]*:[0-9]*:[^*]+(/[*])?$", resource))
    ])
    error_message = "The policy names a resource more loosely than by its ARN."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.etl["all"].batch_size == 100 && aws_lambda_event_source_mapping.etl["all"].maximum_batching_window_in_seconds == 60 && aws_lambda_event_source_mapping.etl["all"].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Batches are small, do not wait to fill, or fail as a whole."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.etl["all"].scaling_config[0].maximum_concurrency == 2
    error_message = "The concurrency is not bounded as the variable says."
  }

  assert {
    condition     = keys(module.alarms["all"].arns) == ["bad-lines", "inserts-failed", "objects-failed"]
    error_message = "An alarm on what the function itself counts is missing."
  }
}

run "longest_generated_names_fit" {
  module {
    source = "./services/xapi_etl"
  }

  variables {
    name_prefix = "sixteen-chars-ab-tencharsxx"
    partitions  = { sixteen-chars-ab = "a/" }
  }

  override_data {
    target = data.aws_region.current
    values = { id = "ap-southeast-1", name = "ap-southeast-1" }
  }

  assert {
    condition     = alltrue([for name in concat([local.bucket_name], values(local.names)) : length(name) <= 63])
    error_message = "The longest prefix in the longest region makes a name that AWS refuses."
  }
}

run "existing_bucket_is_left_alone" {
  module {
    source = "./services/xapi_etl"
  }

  variables {
    create_bucket       = false
    bucket_name         = "acme-lrs"
    create_notification = false
  }

  assert {
    condition     = length(module.bucket) == 0 && length(aws_s3_bucket_notification.source) == 0 && output.bucket_name == "acme-lrs"
    error_message = "A bucket that exists is made again, or its notification overwritten."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.etl["all"].statement : statement.resources if statement.sid == "ReadStatements"] == [toset(["arn:aws:s3:::acme-lrs/statements/*"])]
    error_message = "Reads are not bound to the prefix of the existing bucket."
  }
}

run "existing_bucket_needs_its_name" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    create_bucket = false
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "new_objects_of_prefix_and_suffixes_are_heard_of_and_a_large_layer_travels_through_a_bucket" {
  module {
    source = "./services/xapi_etl"
  }

  variables {
    source_suffixes   = [".jsonl", ".jsonl.gz"]
    artifact_bucket   = { name = "acme-artifacts" }
    layer_shared_with = ["444455556666"]
  }

  assert {
    condition = toset([for queue in aws_s3_bucket_notification.source[0].queue : "${queue.filter_prefix}*${queue.filter_suffix}"]) == toset([
      "statements/*.jsonl", "statements/*.jsonl.gz",
    ])
    error_message = "Other objects are announced than asked for."
  }

  assert {
    condition     = alltrue([for queue in aws_s3_bucket_notification.source[0].queue : queue.events == toset(["s3:ObjectCreated:*"])])
    error_message = "Not all new objects are announced, or others."
  }

  assert {
    condition     = output.layer_arns["xapi"] == "arn:aws:lambda:eu-west-1:111122223333:layer:mocked:1"
    error_message = "The layer is not made."
  }
}

run "partitions_have_a_queue_and_a_function_each" {
  module {
    source = "./services/xapi_etl"
  }

  variables {
    partitions = { web = "web/", apps = "apps/" }
  }

  assert {
    condition     = values(output.function_names) == ["acme-test-xapi-etl-apps", "acme-test-xapi-etl-web"]
    error_message = "A partition has no function of its own."
  }

  assert {
    condition     = toset(aws_s3_bucket_notification.source[0].queue[*].filter_prefix) == toset(["web/", "apps/"])
    error_message = "The bucket's parts do not go to their queues."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.etl["web"].statement : statement.resources if statement.sid == "ReadStatements"] == [toset(["arn:aws:s3:::acme-test-xapi-111122223333-eu-west-1/web/*"])]
    error_message = "A partition's function may read the others' objects."
  }

  assert {
    condition     = toset([for event in data.aws_iam_policy_document.events : one(one(event.statement).resources)]) == toset(["arn:aws:sqs:eu-west-1:111122223333:acme-test-xapi-etl-web", "arn:aws:sqs:eu-west-1:111122223333:acme-test-xapi-etl-apps"])
    error_message = "S3 may not send to each partition's queue."
  }
}

run "options_bring_their_permissions_and_no_more" {
  module {
    source = "./services/xapi_etl"
  }

  variables {
    clickhouse = { host = "clickhouse.internal", secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:clickhouse-Ab1Cd2" }
    etl        = { bad_lines = "quarantine", column_map_s3_uri = "s3://acme-config/columns.json" }
    common     = { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/ours" }
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.etl["all"].statement : statement.sid => statement.resources
      if contains(["PutBadLinesAside", "ReadColumnMap", "ReadSecret"], statement.sid)
      } == {
      PutBadLinesAside = toset(["arn:aws:s3:::acme-test-xapi-111122223333-eu-west-1/quarantine/*"])
      ReadColumnMap    = toset(["arn:aws:s3:::acme-config/columns.json"])
      ReadSecret       = toset(["arn:aws:secretsmanager:eu-west-1:111122223333:secret:clickhouse-Ab1Cd2"])
    }
    error_message = "An option's permission is missing, or wider than the option."
  }

  assert {
    condition     = one(one([for statement in data.aws_iam_policy_document.etl["all"].statement : statement.condition if statement.sid == "UseKeysThroughServices"])).variable == "kms:ViaService"
    error_message = "The function may call KMS by itself."
  }

  assert {
    condition     = output.clickhouse_url == "https://clickhouse.internal:8443" && local.environment.CLICKHOUSE_HOST == "clickhouse.internal" && !contains(keys(local.environment), "CLICKHOUSE_URL")
    error_message = "The host is not the address."
  }

  assert {
    condition     = local.environment.CLICKHOUSE_SECRET == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:clickhouse-Ab1Cd2"
    error_message = "The function does not know its secret."
  }
}

run "clickhouse_without_tls_and_with_settings_and_a_quarantine_in_a_bucket_of_its_own" {
  module {
    source = "./services/xapi_etl"
  }

  variables {
    clickhouse             = { host = "10.0.0.5", secure = false, path = "/ch/", settings = { max_insert_block_size = "100000" }, insert_columns = ["statement_id", "statement"] }
    source_prefix          = ""
    quarantine_bucket_name = "acme-quarantine"
    etl                    = { bad_lines = "quarantine" }
  }

  assert {
    condition     = output.clickhouse_url == "http://10.0.0.5:8123/ch"
    error_message = "The address is not the one that the function makes of it."
  }

  assert {
    condition     = [local.environment.CLICKHOUSE_SECURE, local.environment.CLICKHOUSE_SETTINGS, local.environment.CLICKHOUSE_INSERT_COLUMNS] == ["false", "max_insert_block_size=100000", "statement_id,statement"]
    error_message = "A setting does not reach the function in its own form."
  }

  assert {
    condition     = local.environment.QUARANTINE_BUCKET == "acme-quarantine"
    error_message = "Bad lines do not go to the bucket that was named."
  }
}

run "refuses_a_quarantine_that_would_be_loaded" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    quarantine_prefix = "statements/bad/"
    etl               = { bad_lines = "quarantine" }
  }

  expect_failures = [data.aws_iam_policy_document.events]
}

run "refuses_a_quarantine_in_a_bucket_that_is_loaded_whole" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    source_prefix = ""
    etl           = { bad_lines = "quarantine" }
  }

  expect_failures = [data.aws_iam_policy_document.events]
}

run "refuses_to_guess_where_clickhouse_is" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    clickhouse = {}
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "refuses_credentials_in_two_places" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    clickhouse          = { host = "h", secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:clickhouse-Ab1Cd2" }
    clickhouse_password = "secret"
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "refuses_credentials_in_the_url" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    clickhouse = { url = "https://user:password@clickhouse.example.com:8443" }
  }

  expect_failures = [var.clickhouse]
}

run "refuses_partitions_and_suffixes_that_overlap" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    partitions      = { web = "in/", apps = "in/apps/" }
    source_suffixes = [".jsonl", "s.jsonl"]
  }

  expect_failures = [var.partitions, var.source_suffixes]
}

run "refuses_more_concurrency_than_reserved" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    etl = { maximum_concurrency = 10, reserved_concurrency = 5 }
  }

  expect_failures = [aws_lambda_event_source_mapping.etl]
}

run "refuses_large_batches_without_a_window" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    etl = { batching_window_seconds = 0 }
  }

  expect_failures = [var.etl]
}

run "refuses_out_of_range_values" {
  command = plan

  module {
    source = "./services/xapi_etl"
  }

  variables {
    source_prefix     = "*.jsonl"
    quarantine_prefix = "quarantine"
    quarantine_days   = 0
    etl               = { target_rows_per_insert = 30001 }
    common            = { log_level = "LOUD" }
  }

  expect_failures = [var.source_prefix, var.quarantine_prefix, var.quarantine_days, var.common, var.etl]
}
