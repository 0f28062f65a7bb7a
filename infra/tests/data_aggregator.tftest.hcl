# The data aggregator, used alone as a team with its own Terraform would.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix    = "acme-test"
  lambda_zip_dir = "./tests/fixtures/lambdas"
  layer_zip_dir  = "./tests/fixtures/layers"
}

run "by_default_three_buckets_are_generated_and_the_role_may_do_its_work_and_nothing_else" {
  module {
    source = "./services/data_aggregator"
  }

  assert {
    condition = [local.source_bucket_name, local.distribution_bucket_name, local.archive_bucket_name] == [
      "acme-test-agg-src-111122223333-eu-west-1",
      "acme-test-agg-dst-111122223333-eu-west-1",
      "acme-test-agg-arc-111122223333-eu-west-1",
    ]
    error_message = "The generated names are not unique per account and region."
  }

  assert {
    condition     = length(module.source_bucket) == 1 && length(module.distribution_bucket) == 1 && length(module.archive_bucket) == 1 && length(module.replication) == 1
    error_message = "A bucket, or the way to the archive, is not made."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.events.statement).actions == toset(["sqs:SendMessage"]) && one(one(data.aws_iam_policy_document.events.statement).principals).identifiers == toset(["s3.amazonaws.com"]) && one(data.aws_iam_policy_document.events.statement).resources == toset(["arn:aws:sqs:eu-west-1:111122223333:acme-test-aggregator"])
    error_message = "Others than S3 may send, or S3 may do more."
  }

  assert {
    condition = { for condition in one(data.aws_iam_policy_document.events.statement).condition : condition.variable => condition.values } == {
      "aws:SourceAccount" = tolist(["111122223333"])
      "aws:SourceArn"     = tolist(["arn:aws:s3:::acme-test-agg-src-111122223333-eu-west-1"])
    }
    error_message = "Other buckets or accounts may have S3 send to the queue."
  }

  assert {
    condition = toset(flatten(data.aws_iam_policy_document.aggregator.statement[*].actions)) == toset([
      "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility",
      "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject", "s3:AbortMultipartUpload",
      "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem",
    ])
    error_message = "data-aggregator's actions changed."
  }

  assert {
    condition = alltrue([
      for resource in flatten(data.aws_iam_policy_document.aggregator.statement[*].resources) :
      can(regex("^arn:aws:[a-z0-9]+:[a-z0-9-]*:[0-9]*:[^*]+(/[*])?$", resource))
    ])
    error_message = "The policy names a resource more loosely than by its ARN."
  }

  assert {
    condition     = length([for statement in data.aws_iam_policy_document.aggregator.statement : statement if contains(statement.resources, "arn:aws:s3:::acme-test-agg-src-111122223333-eu-west-1/*") && contains(statement.actions, "s3:PutObject")]) == 0
    error_message = "The function may write to the source bucket: it would feed itself."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.aggregator.batch_size == 1000 && aws_lambda_event_source_mapping.aggregator.maximum_batching_window_in_seconds == 10 && aws_lambda_event_source_mapping.aggregator.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Batches are small, do not wait to fill, or fail as a whole."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.aggregator.scaling_config[0].maximum_concurrency == 2
    error_message = "The concurrency is not bounded as the variable says."
  }

  assert {
    condition     = length(aws_glue_catalog_database.this) == 0 && length(aws_glue_catalog_table.bundles) == 0 && output.glue_table == ""
    error_message = "A Glue table is made that nobody asked for."
  }
}

run "longest_generated_bucket_names_fit" {
  module {
    source = "./services/data_aggregator"
  }

  variables {
    name_prefix = "sixteen-chars-ab-tencharsxx"
  }

  override_data {
    target = data.aws_region.current
    values = { id = "ap-southeast-1", name = "ap-southeast-1" }
  }

  assert {
    condition     = alltrue([for name in [local.source_bucket_name, local.distribution_bucket_name, local.archive_bucket_name] : length(name) <= 63])
    error_message = "The longest prefix in the longest region makes a bucket name over 63 characters."
  }
}

run "existing_buckets_are_left_alone" {
  module {
    source = "./services/data_aggregator"
  }

  variables {
    create_source_bucket       = false
    source_bucket_name         = "acme-events"
    create_source_notification = false
    create_distribution_bucket = false
    distribution_bucket_name   = "acme-bundles"
    create_archive_bucket      = false
    archive_bucket_name        = "acme-vault"
  }

  assert {
    condition     = length(module.source_bucket) == 0 && length(module.distribution_bucket) == 0 && length(module.archive_bucket) == 0 && length(aws_s3_bucket_notification.source) == 0
    error_message = "A bucket that exists is made again, or its notification overwritten."
  }

  assert {
    condition     = [output.source_bucket_name, output.distribution_bucket_name, output.archive_bucket_name] == ["acme-events", "acme-bundles", "acme-vault"]
    error_message = "The existing buckets are not those that are used."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.aggregator.statement : statement.resources if contains(["ReadSources", "WriteBundles"], statement.sid)] == [toset(["arn:aws:s3:::acme-events/*"]), toset(["arn:aws:s3:::acme-bundles/*"])]
    error_message = "Reads and writes are not bound to the existing buckets."
  }
}

run "existing_buckets_need_names" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    create_archive_bucket = false
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "bundles_do_not_become_sources" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    source_bucket_name       = "acme-events"
    distribution_bucket_name = "acme-events"
  }

  expect_failures = [data.aws_iam_policy_document.events]
}

run "without_an_archive_nothing_is_copied" {
  module {
    source = "./services/data_aggregator"
  }

  variables {
    replication_enabled = false
  }

  assert {
    condition     = length(module.replication) == 0 && length(module.archive_bucket) == 0 && output.archive_bucket_name == ""
    error_message = "An archive is made that nobody asked for."
  }
}

run "sources_asked_for_are_heard_of_keys_work_through_services_only_and_bundles_are_a_table" {
  module {
    source = "./services/data_aggregator"
  }

  variables {
    source_prefix       = "in/"
    source_suffix       = ".json"
    bucket_kms_key_arns = ["arn:aws:kms:eu-west-1:111122223333:key/theirs"]
    create_glue_table   = true
    common              = { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/ours" }
  }

  assert {
    condition     = aws_s3_bucket_notification.source[0].queue[0].events == toset(["s3:ObjectCreated:*"]) && aws_s3_bucket_notification.source[0].queue[0].queue_arn == module.queue.arn
    error_message = "New objects are not announced to the queue."
  }

  assert {
    condition     = aws_s3_bucket_notification.source[0].queue[0].filter_prefix == "in/" && aws_s3_bucket_notification.source[0].queue[0].filter_suffix == ".json"
    error_message = "Other objects are announced than asked for."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.aggregator.statement : statement.resources if statement.sid == "UseKeysThroughServices"] == [toset(["arn:aws:kms:eu-west-1:111122223333:key/ours", "arn:aws:kms:eu-west-1:111122223333:key/theirs"])]
    error_message = "The keys are not usable, or others are."
  }

  assert {
    condition     = one(one([for statement in data.aws_iam_policy_document.aggregator.statement : statement.condition if statement.sid == "UseKeysThroughServices"])).variable == "kms:ViaService"
    error_message = "The function may call KMS by itself."
  }

  assert {
    condition     = aws_glue_catalog_table.bundles[0].parameters["storage.location.template"] == "s3://acme-test-agg-dst-111122223333-eu-west-1/$${hour}/" && aws_glue_catalog_table.bundles[0].parameters["projection.hour.format"] == "yyyy/MM/dd/HH"
    error_message = "The hours are not where the bundles are."
  }

  assert {
    condition     = output.glue_table == "acme_test_aggregator.bundles"
    error_message = "The table's name is not one that Athena takes unquoted."
  }
}

run "refuses_to_forget_before_the_queues_do" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    idempotency_ttl_days = 18 # 4 and 14 days are what the queues keep
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "takes_a_memory_just_longer_than_the_queues_and_small_batches_without_a_window" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    idempotency_ttl_days = 19
    aggregator           = { batch_size = 10, batching_window_seconds = 0 }
  }

  assert {
    condition     = var.idempotency_ttl_days == 19
    error_message = "A memory longer than the queues' is refused."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.aggregator.batch_size == 10
    error_message = "A batch that needs no window is refused."
  }
}

run "refuses_more_concurrency_than_reserved" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    aggregator = { maximum_concurrency = 10, reserved_concurrency = 5 }
  }

  expect_failures = [aws_lambda_event_source_mapping.aggregator]
}

run "refuses_concurrency_that_aws_would_refuse" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    aggregator = { maximum_concurrency = 1 }
  }

  expect_failures = [var.aggregator]
}

run "refuses_large_batches_without_a_window" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    aggregator = { batch_size = 11, batching_window_seconds = 0 }
  }

  expect_failures = [var.aggregator]
}

run "refuses_a_disk_that_is_all_reserve" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    aggregator = { ephemeral_storage_mb = 512, disk_reserve_mb = 512 }
  }

  expect_failures = [var.aggregator]
}

run "refuses_out_of_range_values" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    archive_storage_class   = "STANDARD"
    archive_transition_days = 0.5
    glue_first_hour         = "yesterday"
    aggregator              = { gzip_level = 6 }
    common                  = { log_level = "LOUD" }
  }

  expect_failures = [var.archive_storage_class, var.archive_transition_days, var.glue_first_hour, var.common, var.aggregator]
}

run "refuses_a_memory_that_an_object_could_fill" {
  command = plan

  module {
    source = "./services/data_aggregator"
  }

  variables {
    aggregator = { memory_mb = 512, read_ahead_mb = 128 }
  }

  expect_failures = [var.aggregator]
}

run "dead_letters_keep_their_alarm_where_others_are_left_out" {
  module {
    source = "./services/data_aggregator"
  }

  variables {
    common = { essential_alarms_only = true }
  }

  assert {
    condition     = length(module.queue.alarm_arns) == 1 && length(module.function.alarm_arns) == 0 && length(module.alarms.arns) == 0
    error_message = "Other alarms are made, or that on dead letters is not."
  }
}
