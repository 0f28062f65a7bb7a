# The primitives around buckets and functions: copies, alarms, queries, retention, failures.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "copies_of_everything_are_measured_and_the_role_makes_copies_and_nothing_else" {
  module {
    source = "./modules/replication"
  }

  variables {
    name                    = "acme-replication"
    source_bucket_name      = "acme-bundles"
    destination_bucket_name = "acme-vault"
    common                  = { permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this.bucket == "acme-bundles" && aws_s3_bucket_replication_configuration.this.rule[0].destination[0].bucket == "arn:aws:s3:::acme-vault" && aws_s3_bucket_replication_configuration.this.rule[0].status == "Enabled"
    error_message = "The bundles are not copied."
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this.rule[0].delete_marker_replication[0].status == "Disabled"
    error_message = "Deleting an original deletes its copy."
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this.rule[0].destination[0].metrics[0].status == "Enabled"
    error_message = "Without metrics the alarm on latency has nothing to look at."
  }

  assert {
    condition     = toset(keys(module.alarms.arns)) == toset(["latency", "failures"])
    error_message = "Late or failed copies raise no alarm."
  }

  assert {
    condition     = local.metric_dimensions == { SourceBucket = "acme-bundles", DestinationBucket = "acme-vault", RuleId = aws_s3_bucket_replication_configuration.this.rule[0].id }
    error_message = "The alarms look at another rule."
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.copy.statement : statement.sid => [statement.actions, statement.resources] } == {
      FindObjects = [toset(["s3:GetReplicationConfiguration", "s3:ListBucket"]), toset(["arn:aws:s3:::acme-bundles"])]
      ReadObjects = [toset(["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]), toset(["arn:aws:s3:::acme-bundles/*"])]
      WriteCopies = [toset(["s3:ReplicateObject", "s3:ReplicateTags"]), toset(["arn:aws:s3:::acme-vault/*"])]
    }
    error_message = "The role's permissions changed."
  }

  assert {
    condition     = { for condition in one(data.aws_iam_policy_document.trust.statement).condition : condition.variable => condition.values } == { "aws:SourceAccount" = tolist(["111122223333"]), "aws:SourceArn" = tolist(["arn:aws:s3:::acme-bundles"]) }
    error_message = "S3 may take the role for other buckets or accounts."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The role is not bounded."
  }
}

run "encrypted_objects_are_copied_too" {
  module {
    source = "./modules/replication"
  }

  variables {
    name                    = "acme-replication"
    source_bucket_name      = "acme-bundles"
    destination_bucket_name = "acme-vault"
    source_kms_key_arns     = ["arn:aws:kms:eu-west-1:111122223333:key/ours"]
    replica_kms_key_arn     = "arn:aws:kms:eu-west-1:111122223333:key/vault"
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this.rule[0].source_selection_criteria[0].sse_kms_encrypted_objects[0].status == "Enabled" && aws_s3_bucket_replication_configuration.this.rule[0].destination[0].encryption_configuration[0].replica_kms_key_id == "arn:aws:kms:eu-west-1:111122223333:key/vault"
    error_message = "S3 passes over what a KMS key encrypts."
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.copy.statement : statement.sid => statement.resources
      if contains(["DecryptOriginals", "EncryptCopies"], statement.sid)
      } == {
      DecryptOriginals = toset(["arn:aws:kms:eu-west-1:111122223333:key/ours"])
      EncryptCopies    = toset(["arn:aws:kms:eu-west-1:111122223333:key/vault"])
    }
    error_message = "S3 may not use the keys, or others."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.copy.statement :
      toset(statement.condition[*].variable) == toset(["kms:ViaService", "kms:EncryptionContext:aws:s3:arn"])
      if contains(["DecryptOriginals", "EncryptCopies"], statement.sid)
    ])
    error_message = "The keys are usable for more than these buckets' objects."
  }
}

run "encrypted_objects_need_a_key_for_their_copies" {
  command = plan

  module {
    source = "./modules/replication"
  }

  variables {
    name                    = "acme-replication"
    source_bucket_name      = "acme-bundles"
    destination_bucket_name = "acme-vault"
    source_kms_key_arns     = ["arn:aws:kms:eu-west-1:111122223333:key/ours"]
  }

  expect_failures = [aws_s3_bucket_replication_configuration.this]
}

run "alarm_looks_at_its_metric_and_tells" {
  module {
    source = "./modules/alarms"
  }

  variables {
    name_prefix = "acme-worker"
    alarms = {
      files-failed = {
        description = "A file failed."
        runbook     = "files-failed"
        namespace   = "Acme"
        metric_name = "FilesFailed"
        dimensions  = { service = "worker" }
        statistic   = "Sum"
        threshold   = 3
      }
    }
    common = { alarm_topic_arns = ["arn:aws:sns:eu-west-1:111122223333:on-call"] }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["files-failed"].alarm_name == "acme-worker-files-failed" && aws_cloudwatch_metric_alarm.this["files-failed"].namespace == "Acme" && aws_cloudwatch_metric_alarm.this["files-failed"].metric_name == "FilesFailed" && aws_cloudwatch_metric_alarm.this["files-failed"].dimensions == tomap({ service = "worker" })
    error_message = "The alarm looks at another metric."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["files-failed"].threshold == 3 && aws_cloudwatch_metric_alarm.this["files-failed"].statistic == "Sum" && aws_cloudwatch_metric_alarm.this["files-failed"].comparison_operator == "GreaterThanThreshold" && aws_cloudwatch_metric_alarm.this["files-failed"].period == 300
    error_message = "The alarm fires at another value."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["files-failed"].alarm_actions == toset(["arn:aws:sns:eu-west-1:111122223333:on-call"])
    error_message = "The alarm tells nobody."
  }
}

run "alarms_can_be_off" {
  module {
    source = "./modules/alarms"
  }

  variables {
    name_prefix = "acme-worker"
    alarms      = { any = { description = "", runbook = "", namespace = "Acme", metric_name = "Any", dimensions = {}, statistic = "Sum", threshold = 0 } }
    common      = { alarms_enabled = false }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0
    error_message = "Alarms are made although they are off."
  }
}

run "refuses_alarms_that_cloudwatch_would_refuse" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    name_prefix = "acme-worker"
    alarms = {
      any = { description = "", runbook = "", namespace = "Acme", metric_name = "Any", dimensions = {}, statistic = "Median", threshold = 0, period_seconds = 90 }
    }
  }

  expect_failures = [var.alarms]
}

run "each_file_becomes_a_saved_query" {
  module {
    source = "./modules/query_definitions"
  }

  variables {
    name_prefix     = "acme/worker"
    folder          = "./queries/csv_streamer"
    log_group_names = ["/aws/lambda/acme-worker"]
  }

  assert {
    condition     = contains(output.names, "acme/worker/failures-by-url") && length(output.names) == length(fileset("./queries/csv_streamer", "*.query"))
    error_message = "A file of the folder is no saved query."
  }

  assert {
    condition     = alltrue([for file, query in aws_cloudwatch_query_definition.this : query.query_string == file("./queries/csv_streamer/${file}") && query.log_group_names == tolist(["/aws/lambda/acme-worker"])])
    error_message = "A saved query differs from its file, or reads other logs."
  }
}

run "queries_can_be_off" {
  module {
    source = "./modules/query_definitions"
  }

  variables {
    name_prefix     = "acme/worker"
    folder          = "./queries/csv_streamer"
    log_group_names = ["/aws/lambda/acme-worker"]
    queries_enabled = false
  }

  assert {
    condition     = length(aws_cloudwatch_query_definition.this) == 0
    error_message = "Queries are saved although they are off."
  }
}

run "bucket_moves_objects_to_a_cheaper_class_and_keeps_them" {
  module {
    source = "./modules/bucket"
  }

  variables {
    bucket_name = "acme-vault"
    transitions = { archive = { days = 30, storage_class = "DEEP_ARCHIVE" } }
    object_lock = { mode = "GOVERNANCE", days = 365 }
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : [tostring(one(rule.transition).days), one(rule.transition).storage_class] if rule.id == "transition-archive"] == [["30", "DEEP_ARCHIVE"]]
    error_message = "Objects do not move."
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].mode == "GOVERNANCE" && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 365
    error_message = "Objects are not retained."
  }
}

run "bucket_without_lock_can_be_emptied" {
  module {
    source = "./modules/bucket"
  }

  variables {
    bucket_name = "acme-vault"
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "A lock is put on that nobody asked for and nobody can take off."
  }
}

run "bucket_refuses_unknown_classes_and_locks" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    bucket_name = "acme-vault"
    transitions = { archive = { days = 30, storage_class = "CELLAR" } }
    object_lock = { mode = "FOREVER", days = 365 }
  }

  expect_failures = [var.transitions, var.object_lock]
}

run "asynchronous_failures_are_kept" {
  module {
    source = "./modules/lambda"
  }

  variables {
    name                 = "acme-worker"
    description          = "Works"
    handler              = "worker.app.lambda_handler"
    package_path         = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents     = []
    ephemeral_storage_mb = 2048
    recursive_loop       = "Allow"
    async = {
      maximum_event_age_seconds = 3600
      maximum_retry_attempts    = 1
      on_failure_queue_arn      = "arn:aws:sqs:eu-west-1:111122223333:acme-failures"
    }
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this[0].destination_config[0].on_failure[0].destination == "arn:aws:sqs:eu-west-1:111122223333:acme-failures" && aws_lambda_function_event_invoke_config.this[0].maximum_retry_attempts == 1 && aws_lambda_function_event_invoke_config.this[0].maximum_event_age_in_seconds == 3600
    error_message = "Invocations that failed for good are lost, or repeated otherwise than asked."
  }

  assert {
    condition     = aws_lambda_function_recursion_config.this[0].recursive_loop == "Allow" && aws_lambda_function.this.ephemeral_storage[0].size == 2048
    error_message = "The function may not call itself, or has another disk than asked."
  }
}

run "by_default_lambda_ends_loops" {
  module {
    source = "./modules/lambda"
  }

  variables {
    name             = "acme-worker"
    description      = "Works"
    handler          = "worker.app.lambda_handler"
    package_path     = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents = []
    async            = { maximum_event_age_seconds = 60, maximum_retry_attempts = 0 }
  }

  assert {
    condition     = length(aws_lambda_function_recursion_config.this) == 0 && length(aws_lambda_function_event_invoke_config.this[0].destination_config) == 0
    error_message = "Loops are allowed, or failures sent somewhere, that nobody asked for."
  }
}

run "lambda_refuses_what_it_cannot_give" {
  command = plan

  module {
    source = "./modules/lambda"
  }

  variables {
    name                 = "acme-worker"
    description          = "Works"
    handler              = "worker.app.lambda_handler"
    package_path         = "./tests/fixtures/lambdas/zip_worker.zip"
    policy_documents     = []
    ephemeral_storage_mb = 256
    recursive_loop       = "Sometimes"
    async                = { maximum_event_age_seconds = 59, maximum_retry_attempts = 3 }
  }

  expect_failures = [var.ephemeral_storage_mb, var.recursive_loop, var.async]
}
