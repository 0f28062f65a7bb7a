# The four functions and their triggers. Their permissions are in policies.tf.

locals {
  # JSON for the functions' environment.
  operators_json = jsonencode({ iamArns = var.operators.iam_arns, claims = var.operators.claims })
  allowed_prefixes_json = var.allowed_prefixes == null ? "" : jsonencode({
    claim   = var.allowed_prefixes.claim
    tag     = var.allowed_prefixes.principal_tag
    values  = var.allowed_prefixes.values
    default = var.allowed_prefixes.default
  })
}

module "enqueue" {
  source = "../../modules/lambda"

  name             = "${var.name_prefix}-zip-enqueue"
  description      = "Takes a ZIP job's request, records the job and queues it"
  handler          = "zip_enqueue.app.lambda_handler"
  package_path     = "${var.lambda_zip_dir}/zip_enqueue.zip"
  layer_arns       = [module.layer["powertools"].arn, module.layer["pydantic"].arn]
  memory_mb        = 512
  timeout_seconds  = 30
  policy_documents = [data.aws_iam_policy_document.enqueue.json]

  environment_variables = {
    TABLE_NAME           = module.table.name
    QUEUE_URL            = module.queue.url
    SOURCE_BUCKETS       = join(",", local.source_buckets)
    TARGET_BUCKETS       = join(",", local.target_buckets)
    DST_PREFIX           = var.dst_prefix
    PRESIGN_TTL_SECONDS  = var.presign_ttl_seconds
    JOB_TTL_DAYS         = var.job_ttl_days
    MAX_BODY_BYTES       = 6291456 # Lambda's request limit
    API_AUTH             = var.api_auth
    ALLOWED_PREFIXES     = local.allowed_prefixes_json
    POWERTOOLS_LOG_LEVEL = var.common.log_level
  }

  common = var.common
}

module "status" {
  source = "../../modules/lambda"

  name             = "${var.name_prefix}-zip-status"
  description      = "Reports, lists, cancels and deletes ZIP jobs, and signs their download addresses"
  handler          = "zip_status.app.lambda_handler"
  package_path     = "${var.lambda_zip_dir}/zip_status.zip"
  layer_arns       = [module.layer["powertools"].arn]
  memory_mb        = 512
  timeout_seconds  = 15
  policy_documents = [data.aws_iam_policy_document.status.json]

  environment_variables = {
    TABLE_NAME                  = module.table.name
    MAX_RECEIVES                = var.max_receive_count
    QUEUE_RETENTION_SECONDS     = var.queue_retention_seconds
    SESSION_CREDENTIALS_SECONDS = 3600 # minimum lifetime of a role's session credentials
    API_AUTH                    = var.api_auth
    OPERATORS                   = local.operators_json
    POWERTOOLS_LOG_LEVEL        = var.common.log_level
  }

  common = var.common
}

module "worker" {
  source = "../../modules/lambda"

  name                 = "${var.name_prefix}-zip-worker"
  description          = "Streams a ZIP job's objects into one archive"
  handler              = "zip_worker.app.lambda_handler"
  package_path         = "${var.lambda_zip_dir}/zip_worker.zip"
  layer_arns           = [module.layer["powertools"].arn]
  memory_mb            = var.worker.memory_mb
  timeout_seconds      = var.worker.timeout_seconds
  reserved_concurrency = var.worker.reserved_concurrency

  # The worker hands the job over at stop_before_seconds before its timeout.
  duration_alarm_seconds = var.worker.timeout_seconds - var.worker.stop_before_seconds / 3

  policy_documents = [data.aws_iam_policy_document.worker.json]

  # Lambda's recursion detection stops a function that invokes itself, directly or through its queue, about 16 times in
  # a row. The worker enforces its own limit, max_hops.
  recursive_loop = var.worker.max_hops > 0 ? "Allow" : null

  environment_variables = {
    TABLE_NAME           = module.table.name
    QUEUE_URL            = module.queue.url
    MAX_RECEIVES         = var.max_receive_count
    LEASE_SECONDS        = var.worker.lease_seconds
    READ_CONCURRENCY     = var.worker.read_concurrency
    READ_AHEAD_MB        = var.worker.read_ahead_mb
    UPLOAD_CONCURRENCY   = var.worker.upload_concurrency
    S3_PART_SIZE         = var.worker.part_size_bytes
    S3_READ_CHUNK        = var.worker.read_chunk_bytes
    MAX_MEMBERS          = var.worker.max_members
    COPY_THRESHOLD_MB    = var.worker.copy_threshold_mb
    COPY_CONCURRENCY     = var.worker.copy_concurrency
    HEAD_THRESHOLD_KB    = var.worker.head_threshold_kb
    CHECKPOINT_SECONDS   = var.worker.checkpoint_seconds
    STOP_BEFORE_SECONDS  = var.worker.stop_before_seconds
    MAX_HOPS             = var.worker.max_hops
    POWERTOOLS_LOG_LEVEL = var.common.log_level

    # Freed blocks and parts return to the operating system instead of a heap that only grows. This saves a third of the
    # memory over several invocations.
    MALLOC_MMAP_THRESHOLD_ = 1048576
  }

  common = var.common
}

resource "aws_lambda_event_source_mapping" "worker" {
  event_source_arn        = module.queue.arn
  function_name           = module.worker.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.common.tags

  scaling_config {
    maximum_concurrency = var.worker.maximum_concurrency
  }

  lifecycle {
    precondition {
      condition     = var.worker.reserved_concurrency == -1 || var.worker.maximum_concurrency <= var.worker.reserved_concurrency
      error_message = "worker.maximum_concurrency must not be above worker.reserved_concurrency: throttled receives would use up max_receive_count."
    }
  }
}

module "settler" {
  source = "../../modules/lambda"

  name             = "${var.name_prefix}-zip-settler"
  description      = "Marks the jobs of dead letters as failed"
  handler          = "zip_worker.dead_letters.lambda_handler"
  package_path     = "${var.lambda_zip_dir}/zip_worker.zip"
  layer_arns       = [module.layer["powertools"].arn]
  memory_mb        = 256
  timeout_seconds  = 60
  policy_documents = [data.aws_iam_policy_document.settler.json]

  # No retries: the next scheduled invocation does the same work, and an old one is useless.
  async = { maximum_event_age_seconds = 60, maximum_retry_attempts = 0 }

  environment_variables = {
    TABLE_NAME           = module.table.name
    DLQ_URL              = module.queue.dlq_url
    POWERTOOLS_LOG_LEVEL = var.common.log_level
  }

  common = var.common
}

# A schedule instead of an event source mapping: messages that the settler does not know must stay in the queue.
resource "aws_cloudwatch_event_rule" "settle" {
  name                = "${var.name_prefix}-zip-settle"
  description         = "Settles the jobs of dead letters"
  schedule_expression = var.settle_schedule
  tags                = var.common.tags
}

resource "aws_cloudwatch_event_target" "settle" {
  rule = aws_cloudwatch_event_rule.settle.name
  arn  = module.settler.arn
}

resource "aws_lambda_permission" "settle" {
  statement_id  = "AllowSchedule"
  action        = "lambda:InvokeFunction"
  function_name = module.settler.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.settle.arn
}
