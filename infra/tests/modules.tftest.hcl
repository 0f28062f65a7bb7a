# The primitives.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "bucket_is_private_encrypted_and_versioned_and_denies_plain_http" {
  module {
    source = "./modules/bucket"
  }

  variables {
    bucket_name = "acme-papers"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "Public access is not blocked in all four ways."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Without a key, S3's own encryption is not set."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Versioning or ownership is not set."
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.abort_incomplete_multipart_upload[0].days_after_initiation if rule.id == "abort-stale-uploads"] == [2]
    error_message = "Stale multipart uploads are not aborted."
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy == false
    error_message = "By default a bucket must not take its objects with it."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.this.statement).effect == "Deny" && one(one(data.aws_iam_policy_document.this.statement).condition).variable == "aws:SecureTransport"
    error_message = "Plain HTTP is not denied."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.this.statement).resources == toset(["arn:aws:s3:::mocked", "arn:aws:s3:::mocked/*"]) && length(aws_s3_bucket_policy.this) == 1
    error_message = "The denial does not cover the bucket and its objects."
  }
}

run "bucket_uses_the_key_and_expires_prefixes" {
  module {
    source = "./modules/bucket"
  }

  variables {
    bucket_name = "acme-papers"
    expirations = {
      scratch  = { prefix = "tmp/", days = 7 }
      archives = { tag = { key = "kind", value = "archive" }, days = 30 }
    }
    cors_allow_origins = ["https://app.example.com"]
    common             = { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/ours" }
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : [rule.filter[0].tag[0].key, rule.filter[0].tag[0].value, tostring(rule.expiration[0].days)] if rule.id == "expire-archives"] == [["kind", "archive", "30"]]
    error_message = "The tag does not expire."
  }

  assert {
    condition     = one(aws_s3_bucket_cors_configuration.this[0].cors_rule).allowed_methods == toset(["GET", "HEAD"])
    error_message = "Pages of the origins cannot read objects."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:eu-west-1:111122223333:key/ours" && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    error_message = "The key is not used, or once per object."
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : [rule.filter[0].prefix, tostring(rule.expiration[0].days)] if rule.id == "expire-scratch"] == [["tmp/", "7"]]
    error_message = "The prefix does not expire."
  }
}

run "bucket_refuses_bad_values" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    bucket_name                = "Not A Bucket"
    noncurrent_expiration_days = 0.5
    expirations                = { everything = { days = 1 } }
    common                     = { abort_upload_after_days = 0 }
  }

  expect_failures = [var.bucket_name, var.common, var.noncurrent_expiration_days, var.expirations]
}

run "queue_redrives_to_its_dlq_denies_plain_http_and_watches_age" {
  module {
    source = "./modules/queue"
  }

  variables {
    name                         = "acme-jobs"
    visibility_timeout_seconds   = 900
    max_receive_count            = 5
    oldest_message_alarm_seconds = 600
    common                       = { alarm_topic_arns = ["arn:aws:sns:eu-west-1:111122223333:on-call"] }
  }

  override_resource {
    target = module.dead_letters.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:eu-west-1:111122223333:the-dlq" }
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.this.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:eu-west-1:111122223333:the-dlq", maxReceiveCount = 5 }
    error_message = "Messages are not redriven to the DLQ after max_receive_count receives."
  }

  assert {
    condition     = module.dead_letters.name == "acme-jobs-dlq"
    error_message = "The DLQ is not named after its queue."
  }

  assert {
    condition     = var.dlq_retention_seconds > aws_sqs_queue.this.message_retention_seconds
    error_message = "The DLQ forgets messages before somebody has looked."
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled
    error_message = "The queue is not encrypted."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.access.statement).effect == "Deny" && one(one(data.aws_iam_policy_document.access.statement).condition).variable == "aws:SecureTransport" && one(data.aws_iam_policy_document.access.statement).resources == toset(["arn:aws:sqs:eu-west-1:111122223333:acme-jobs"])
    error_message = "Plain HTTP is not denied."
  }

  assert {
    condition     = aws_sqs_queue.this.policy == data.aws_iam_policy_document.access.json
    error_message = "The denial is not the queue's policy."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.oldest_message[0].threshold == 600 && aws_cloudwatch_metric_alarm.oldest_message[0].dimensions.QueueName == "acme-jobs"
    error_message = "A message that waits too long raises no alarm."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.oldest_message[0].alarm_actions == toset(["arn:aws:sns:eu-west-1:111122223333:on-call"])
    error_message = "The alarm tells nobody."
  }
}

run "dead_letters_come_from_their_own_queues_only" {
  module {
    source = "./modules/dead_letter_queue"
  }

  variables {
    name              = "acme-jobs-dlq"
    source_queue_arns = ["arn:aws:sqs:eu-west-1:111122223333:acme-jobs"]
    retention_seconds = 86400
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-west-1:111122223333:acme-jobs"] }
    error_message = "The DLQ takes messages of other queues than its own."
  }

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 86400 && aws_sqs_queue.this.sqs_managed_sse_enabled
    error_message = "The DLQ is not encrypted, or keeps messages for another time than asked."
  }
}

run "dead_letter_queue_of_no_queue_takes_no_redrive_denies_plain_http_and_tells" {
  module {
    source = "./modules/dead_letter_queue"
  }

  variables {
    name          = "acme-failures"
    alarm_periods = 3
    common        = { alarm_topic_arns = ["arn:aws:sns:eu-west-1:111122223333:on-call"] }
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_allow_policy) == { redrivePermission = "denyAll" }
    error_message = "Any queue may redrive to it."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.tls[0].statement).effect == "Deny" && one(one(data.aws_iam_policy_document.tls[0].statement).condition).variable == "aws:SecureTransport" && one(data.aws_iam_policy_document.tls[0].statement).resources == toset(["arn:aws:sqs:eu-west-1:111122223333:acme-failures"])
    error_message = "Plain HTTP is not denied."
  }

  assert {
    condition     = aws_sqs_queue.this.policy == data.aws_iam_policy_document.tls[0].json
    error_message = "The denial is not the queue's policy."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.messages[0].metric_name == "ApproximateNumberOfMessagesVisible" && aws_cloudwatch_metric_alarm.messages[0].threshold == 0 && aws_cloudwatch_metric_alarm.messages[0].dimensions.QueueName == "acme-failures" && aws_cloudwatch_metric_alarm.messages[0].evaluation_periods == 3
    error_message = "The first message raises no alarm."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.messages[0].alarm_actions == toset(["arn:aws:sns:eu-west-1:111122223333:on-call"])
    error_message = "The alarm tells nobody."
  }
}

run "dead_letter_queue_can_be_quiet_and_plain" {
  module {
    source = "./modules/dead_letter_queue"
  }

  variables {
    name = "acme-failures"
    common = {
      alarms_enabled = false
      require_tls    = false
      kms_key_arn    = "arn:aws:kms:eu-west-1:111122223333:key/ours"
    }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.messages) == 0 && length(data.aws_iam_policy_document.tls) == 0
    error_message = "An alarm or a policy is made although it is off."
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == "arn:aws:kms:eu-west-1:111122223333:key/ours"
    error_message = "The key is not used."
  }
}

run "dead_letter_queue_refuses_bad_values" {
  command = plan

  module {
    source = "./modules/dead_letter_queue"
  }

  variables {
    name              = "no spaces"
    retention_seconds = 1209601
    alarm_periods     = 0
    source_queue_arns = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
  }

  expect_failures = [var.name, var.retention_seconds, var.alarm_periods, var.source_queue_arns]
}

run "queue_takes_what_its_policy_lets" {
  module {
    source = "./modules/queue"
  }

  variables {
    name                       = "acme-jobs"
    visibility_timeout_seconds = 900
    policy_documents           = ["{\"Statement\":[]}"]
    common                     = { require_tls = false }
  }

  # Another than that of the runs before, from which a queue without a policy would keep its own.
  override_data {
    target = data.aws_iam_policy_document.access
    values = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Given\"}]}" }
  }

  assert {
    condition     = data.aws_iam_policy_document.access.source_policy_documents == tolist(["{\"Statement\":[]}"]) && aws_sqs_queue.this.policy == data.aws_iam_policy_document.access.json
    error_message = "The policy that the service gave is not the queue's."
  }
}

run "queue_alarms_can_be_off" {
  module {
    source = "./modules/queue"
  }

  variables {
    name                       = "acme-jobs"
    visibility_timeout_seconds = 900
    common                     = { alarms_enabled = false }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.oldest_message) == 0
    error_message = "Alarms are made although they are off."
  }
}

run "queue_refuses_bad_values" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name                       = "no spaces"
    visibility_timeout_seconds = 43201
    retention_seconds          = 59
    dlq_retention_seconds      = 1209601
    max_receive_count          = 0
  }

  expect_failures = [var.name, var.visibility_timeout_seconds, var.retention_seconds, var.dlq_retention_seconds, var.max_receive_count]
}

run "lambda_writes_its_own_logs_only_and_alarms_before_the_timeout" {
  module {
    source = "./modules/lambda"
  }

  variables {
    name             = "acme-worker"
    description      = "Works"
    handler          = "worker.app.lambda_handler"
    package_path     = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents = []
    timeout_seconds  = 900
  }

  override_resource {
    target = aws_cloudwatch_log_group.this
    values = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/acme-worker" }
  }

  assert {
    condition     = one(data.aws_iam_policy_document.runtime.statement).actions == toset(["logs:CreateLogStream", "logs:PutLogEvents"]) && one(data.aws_iam_policy_document.runtime.statement).resources == toset(["arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/acme-worker:*"])
    error_message = "The role may do more with logs than write to its own group."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/acme-worker" && aws_cloudwatch_log_group.this.retention_in_days == 14
    error_message = "The log group is not the function's, or keeps logs for longer than asked."
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["x86_64"])
    error_message = "The runtime or the architecture is not the default one."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_format == "Text"
    error_message = "Lambda would wrap the functions' JSON lines in JSON of its own."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["duration"].threshold == 810000
    error_message = "The duration alarm is not at 90 % of the timeout, in milliseconds."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["errors", "throttles", "duration"])
    error_message = "An alarm is missing."
  }
}

run "lambda_options_come_with_their_permissions" {
  module {
    source = "./modules/lambda"
  }

  variables {
    name                 = "acme-worker"
    description          = "Works"
    handler              = "worker.app.lambda_handler"
    package_path         = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents     = []
    reserved_concurrency = 7
    async                = { maximum_event_age_seconds = 60, maximum_retry_attempts = 0 }
    common = {
      tracing_enabled          = true
      vpc_config               = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
      permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    }
  }

  assert {
    condition     = data.aws_iam_policy_document.runtime.statement[*].sid == tolist(["WriteLogs", "SendTraces", "AttachToVpc", "DenyVpcToTheCode"])
    error_message = "Tracing and VPC do not bring their permissions, or the code may use those of the VPC."
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active" && aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1"]) && aws_lambda_function.this.reserved_concurrent_executions == 7
    error_message = "Tracing, VPC or reserved concurrency is not set."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The role has no permissions boundary."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this[0].maximum_event_age_in_seconds == 60 && aws_lambda_function_event_invoke_config.this[0].maximum_retry_attempts == 0
    error_message = "Asynchronous invocations are not limited."
  }
}

run "lambda_alarms_can_be_off" {
  module {
    source = "./modules/lambda"
  }

  variables {
    name             = "acme-worker"
    description      = "Works"
    handler          = "worker.app.lambda_handler"
    package_path     = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents = []
    common           = { alarms_enabled = false }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0
    error_message = "Alarms are made although they are off."
  }
}

run "lambda_alarms_are_not_essential" {
  module {
    source = "./modules/lambda"
  }

  variables {
    name             = "acme-worker"
    description      = "Works"
    handler          = "worker.app.lambda_handler"
    package_path     = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents = []
    common           = { essential_alarms_only = true }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0
    error_message = "Alarms are made that are not essential."
  }
}

run "lambda_refuses_bad_values" {
  command = plan

  module {
    source = "./modules/lambda"
  }

  variables {
    name                 = "no spaces"
    description          = "Works"
    handler              = "worker.app.lambda_handler"
    package_path         = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents     = []
    memory_mb            = 64
    timeout_seconds      = 901
    reserved_concurrency = -2
    common               = { log_retention_days = 2 }
  }

  expect_failures = [var.name, var.common, var.memory_mb, var.timeout_seconds, var.reserved_concurrency]
}

run "lambda_refuses_unknown_architecture" {
  command = plan

  module {
    source = "./modules/lambda"
  }

  variables {
    name             = "acme-worker"
    description      = "Works"
    handler          = "worker.app.lambda_handler"
    package_path     = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents = []
    common           = { architecture = "mips" }
  }

  expect_failures = [var.common]
}

run "table_expires_items_and_recovers" {
  module {
    source = "./modules/table"
  }

  variables {
    name          = "acme-jobs"
    hash_key      = "jobId"
    attributes    = { jobId = "S", day = "S", createdAt = "S" }
    ttl_attribute = "ttl"
    indexes       = { byDay = { hash_key = "day", range_key = "createdAt" } }
  }

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "The table is not on demand, or not recoverable."
  }

  assert {
    condition     = aws_dynamodb_table.this.ttl[0].attribute_name == "ttl" && aws_dynamodb_table.this.ttl[0].enabled
    error_message = "Items do not expire."
  }

  assert {
    condition     = one(aws_dynamodb_table.this.global_secondary_index).name == "byDay" && one(aws_dynamodb_table.this.global_secondary_index).projection_type == "ALL"
    error_message = "The index does not carry whole items."
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled == false
    error_message = "Deletion protection is on without being asked for."
  }
}

run "table_refuses_unknown_types" {
  command = plan

  module {
    source = "./modules/table"
  }

  variables {
    name       = "acme-jobs"
    hash_key   = "jobId"
    attributes = { jobId = "string" }
  }

  expect_failures = [var.attributes]
}

run "layer_refuses_unknown_architecture" {
  command = plan

  module {
    source = "./modules/layer"
  }

  variables {
    name         = "acme-powertools"
    package_path = "./tests/fixtures/layers/powertools.zip"
    architecture = "amd64"
  }

  expect_failures = [var.architecture]
}

run "layer_travels_inside_the_call" {
  module {
    source = "./modules/layer"
  }

  variables {
    name         = "acme-powertools"
    package_path = "./tests/fixtures/layers/powertools.zip"
  }

  assert {
    condition     = aws_lambda_layer_version.this.filename == var.package_path && length(aws_s3_object.package) == 0 && length(aws_lambda_layer_version_permission.use) == 0
    error_message = "The zip takes a way through a bucket that nobody named, or others may use the layer."
  }
}

run "large_layer_travels_through_a_bucket" {
  module {
    source = "./modules/layer"
  }

  variables {
    name                   = "acme-powertools"
    package_path           = "./tests/fixtures/layers/powertools.zip"
    artifact_bucket        = { name = "acme-artifacts" }
    shared_with_principals = ["444455556666"]
  }

  assert {
    condition     = aws_lambda_layer_version.this.filename == null && aws_lambda_layer_version.this.s3_bucket == "acme-artifacts" && aws_lambda_layer_version.this.s3_key == aws_s3_object.package[0].key
    error_message = "The zip does not come out of the bucket that it went into."
  }

  assert {
    condition     = aws_lambda_layer_version.this.source_code_hash == filebase64sha256(var.package_path)
    error_message = "A new content makes no new version."
  }

  assert {
    condition     = aws_lambda_layer_version_permission.use["444455556666"].principal == "444455556666" && aws_lambda_layer_version_permission.use["444455556666"].action == "lambda:GetLayerVersion"
    error_message = "The other account may not use the layer, or may do more."
  }
}

run "layer_is_not_shared_with_everybody" {
  command = plan

  module {
    source = "./modules/layer"
  }

  variables {
    name                   = "acme-powertools"
    package_path           = "./tests/fixtures/layers/powertools.zip"
    shared_with_principals = ["*"]
  }

  expect_failures = [var.shared_with_principals]
}
