# ZIP jobs, used alone as a team with its own Terraform would.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix    = "acme-test"
  lambda_zip_dir = "./tests/fixtures/lambdas"
  layer_zip_dir  = "./tests/fixtures/layers"
}

run "by_default_all_is_made_and_every_role_may_do_its_work_and_nothing_else" {
  module {
    source = "./services/zip_jobs"
  }

  assert {
    condition     = local.src_bucket_name == "acme-test-zip-src-111122223333-eu-west-1"
    error_message = "The source bucket's generated name is not unique per account and region."
  }

  assert {
    condition     = local.dst_bucket_name == "acme-test-zip-dst-111122223333-eu-west-1"
    error_message = "The destination bucket's generated name is not unique per account and region."
  }

  assert {
    condition     = length(module.src_bucket) == 1 && length(module.dst_bucket) == 1
    error_message = "The buckets are not made."
  }

  assert {
    condition     = toset(flatten(data.aws_iam_policy_document.enqueue.statement[*].actions)) == toset(["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:DeleteItem", "s3:PutObject", "sqs:SendMessage"])
    error_message = "zip-enqueue's actions changed."
  }

  assert {
    condition     = toset(flatten(data.aws_iam_policy_document.status.statement[*].actions)) == toset(["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:DeleteObject", "s3:DeleteObjectVersion"])
    error_message = "zip-status's actions changed."
  }

  assert {
    condition = toset(flatten(data.aws_iam_policy_document.worker.statement[*].actions)) == toset([
      "dynamodb:GetItem", "dynamodb:UpdateItem",
      "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility", "sqs:SendMessage",
      "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:ListBucket",
      "s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads", "s3:DeleteObject", "s3:DeleteObjectVersion",
    ])
    error_message = "zip-worker's actions changed."
  }

  assert {
    condition = toset(flatten(data.aws_iam_policy_document.settler.statement[*].actions)) == toset([
      "dynamodb:GetItem", "dynamodb:UpdateItem",
      "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
      "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads",
    ])
    error_message = "zip-settler's actions changed."
  }

  assert {
    condition = alltrue([
      for resource in flatten([
        data.aws_iam_policy_document.enqueue.statement[*].resources,
        data.aws_iam_policy_document.status.statement[*].resources,
        data.aws_iam_policy_document.worker.statement[*].resources,
        data.aws_iam_policy_document.settler.statement[*].resources,
      ]) : can(regex("^arn:aws:[a-z0-9]+:[a-z0-9-]*:[0-9]*:[^*]+(/[*])?$", resource))
    ])
    error_message = "A policy names a resource more loosely than by its ARN."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.encrypt.statement) == 0 && length(data.aws_iam_policy_document.decrypt.statement) == 0
    error_message = "KMS permissions are given where no key is used."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.worker.batch_size == 1 && aws_lambda_event_source_mapping.worker.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The worker does not report its message's failure by itself."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.worker.scaling_config[0].maximum_concurrency == 2
    error_message = "The worker's concurrency is not bounded as the variable says."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.worker.statement : statement.resources if statement.sid == "ContinueJobs"] == [toset([module.queue.arn])]
    error_message = "The worker cannot queue its job again, or may write to other queues."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.worker.statement : one(statement.condition).values if statement.sid == "FindStates"] == [tolist([".zip-jobs/*"])]
    error_message = "The worker may list more of the target bucket than its own states."
  }

  assert {
    condition     = contains(module.queries.names, "acme-test/zip-jobs/failed-jobs") && length(module.queries.names) == length(fileset("./queries/zip_jobs", "*.query"))
    error_message = "The saved queries are not those of queries/zip_jobs."
  }
}

run "who_may_do_what_reaches_the_functions" {
  module {
    source = "./services/zip_jobs"
  }

  variables {
    cors_allow_origins = ["https://app.example.com"]
    job_ttl_days       = 7
    operators          = { iam_arns = ["arn:aws:iam::111122223333:role/Operators"], claims = { groups = ["ops"] } }
    allowed_prefixes   = { principal_tag = "team", values = { finance = ["finance/"] } }
  }

  assert {
    condition     = jsondecode(local.operators_json) == { iamArns = ["arn:aws:iam::111122223333:role/Operators"], claims = { groups = ["ops"] } }
    error_message = "The operators do not reach zip-status."
  }

  assert {
    condition     = jsondecode(local.allowed_prefixes_json).values.finance == ["finance/"] && jsondecode(local.allowed_prefixes_json).tag == "team"
    error_message = "The prefixes do not reach zip-enqueue."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.enqueue.statement : statement.resources if statement.sid == "ReadCallersTags"] == [toset(["arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:user/*"])]
    error_message = "zip-enqueue cannot read its callers' tags, or more than those."
  }
}

run "refuses_operators_and_prefixes_that_cannot_be_meant" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    dst_prefix = "zips/../"
    operators  = { iam_arns = ["Operators"] }
  }

  expect_failures = [var.dst_prefix, var.operators]
}

run "longest_generated_bucket_name_fits" {
  module {
    source = "./services/zip_jobs"
  }

  variables {
    name_prefix = "sixteen-chars-ab-tencharsxx"
  }

  override_data {
    target = data.aws_region.current
    values = { id = "ap-southeast-1", name = "ap-southeast-1" }
  }

  assert {
    condition     = length(local.dst_bucket_name) <= 63
    error_message = "The longest prefix in the longest region makes a bucket name over 63 characters."
  }
}

run "given_names_and_schedule_are_used_and_keys_through_services_only" {
  module {
    source = "./services/zip_jobs"
  }

  variables {
    src_bucket_name     = "acme-papers"
    dst_bucket_name     = "acme-archives"
    bucket_kms_key_arns = ["arn:aws:kms:eu-west-1:111122223333:key/theirs"]
    settle_schedule     = "rate(1 minute)"
    common              = { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/ours" }
  }

  assert {
    condition     = local.src_bucket_name == "acme-papers" && local.dst_bucket_name == "acme-archives" && length(module.src_bucket) == 1 && length(module.dst_bucket) == 1
    error_message = "Buckets are not created under the names given."
  }

  assert {
    condition     = data.aws_iam_policy_document.decrypt.statement[0].resources == toset(["arn:aws:kms:eu-west-1:111122223333:key/ours", "arn:aws:kms:eu-west-1:111122223333:key/theirs"])
    error_message = "Decryption is not bound to the keys in use."
  }

  assert {
    condition = alltrue([
      for statement in concat(data.aws_iam_policy_document.encrypt.statement, data.aws_iam_policy_document.decrypt.statement) :
      one(statement.condition).variable == "kms:ViaService"
    ])
    error_message = "A function may call KMS by itself."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.settle.schedule_expression == "rate(1 minute)" && aws_lambda_permission.settle.source_arn == aws_cloudwatch_event_rule.settle.arn
    error_message = "The settler is not invoked by its own schedule alone."
  }
}

run "existing_buckets_are_left_alone_and_requests_write_only_key_lists" {
  module {
    source = "./services/zip_jobs"
  }

  variables {
    create_src_bucket           = false
    src_bucket_name             = "acme-papers"
    create_dst_bucket           = false
    dst_bucket_name             = "acme-archives"
    additional_src_bucket_names = ["acme-more-papers"]
  }

  assert {
    condition     = length(module.src_bucket) == 0 && length(module.dst_bucket) == 0
    error_message = "A bucket that exists is made again."
  }

  assert {
    condition     = local.source_buckets == ["acme-papers", "acme-more-papers"] && local.target_buckets == ["acme-archives"]
    error_message = "The existing buckets are not those that requests may name."
  }

  assert {
    condition     = local.source_object_arns == ["arn:aws:s3:::acme-papers/*", "arn:aws:s3:::acme-more-papers/*"]
    error_message = "The worker's reads are not bound to the existing source buckets."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.enqueue.statement : statement.resources if statement.sid == "StoreKeyLists"] == [toset(["arn:aws:s3:::acme-archives/.zip-jobs/*"])]
    error_message = "zip-enqueue may write beside .zip-jobs/."
  }
}

run "existing_bucket_needs_a_name" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    create_src_bucket = false
    create_dst_bucket = false
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "refuses_more_concurrency_than_reserved" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    worker = { maximum_concurrency = 10, reserved_concurrency = 5 }
  }

  expect_failures = [aws_lambda_event_source_mapping.worker]
}

run "refuses_what_aws_would_refuse_of_a_worker" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    worker = { maximum_concurrency = 1 }
  }

  expect_failures = [var.worker]
}

run "refuses_copies_that_s3_would_refuse" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    worker = { copy_threshold_mb = 5 }
  }

  expect_failures = [var.worker]
}

run "refuses_to_stop_before_it_begins" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    worker = { timeout_seconds = 60, stop_before_seconds = 45 }
  }

  expect_failures = [var.worker]
}

run "refuses_parts_that_s3_would_refuse" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    worker = { part_size_bytes = 1048576 }
  }

  expect_failures = [var.worker]
}

run "refuses_out_of_range_values" {
  command = plan

  module {
    source = "./services/zip_jobs"
  }

  variables {
    presign_ttl_seconds = 604801
    dst_prefix          = "/zips/"
    settle_schedule     = "every now and then"
    common              = { log_level = "LOUD" }
  }

  expect_failures = [var.presign_ttl_seconds, var.dst_prefix, var.common, var.settle_schedule]
}
