# The functions and the Function URL. Their permissions are in policies.tf.

locals {
  function_name        = "${var.name_prefix}-dataset-download"
  export_function_name = "${var.name_prefix}-dataset-export"

  # The Python runtime does not stream, so the Web Adapter does. A Function URL cannot stream from a VPC.
  streams = var.web_adapter && var.common.vpc_config == null

  # AWS publishes the layer in every commercial region, in China from one account per region and for x86_64 only, and
  # not in GovCloud. web_adapter_layer_arn selects another layer or your own copy.
  adapter_accounts = {
    aws    = "753240598075"
    aws-cn = { cn-north-1 = "041581134020", cn-northwest-1 = "069767869989" }
  }
  adapter_account = (
    data.aws_partition.current.partition == "aws" ? local.adapter_accounts.aws :
    data.aws_partition.current.partition == "aws-cn" && var.common.architecture != "arm64" ? lookup(local.adapter_accounts.aws-cn, data.aws_region.current.id, null) :
    null
  )
  adapter_layer_arn = local.adapter_account == null ? null : format(
    "arn:%s:lambda:%s:%s:layer:LambdaAdapterLayer%s:26",
    data.aws_partition.current.partition,
    data.aws_region.current.id,
    local.adapter_account,
    var.common.architecture == "arm64" ? "Arm64" : "X86",
  )
  adapter_arn = local.streams ? try(coalesce(var.web_adapter_layer_arn, local.adapter_layer_arn), null) : null

  environment = merge(
    {
      DATASET_BUCKET         = var.create_bucket ? module.bucket[0].name : local.bucket_name
      DATASET_PREFIX         = local.prefix
      BATCH_ROWS             = var.download.batch_rows
      READ_AHEAD_MB          = var.download.read_ahead_mb
      MAX_SORT_ROWS          = var.download.max_sort_rows
      ORGANISATION_COLUMN    = var.download.organisation_column
      FORMULA_GUARD          = var.download.formula_guard
      REDIRECT_PARQUET       = var.download.redirect_parquet
      STREAM_LIMIT_MB        = var.download.stream_limit_mb
      SMALL_ANSWER_KB        = var.download.small_answer_kb
      BUFFER_LIMIT_MB        = var.download.buffer_limit_mb
      EXPORTS                = var.download.exports
      EXPORT_INLINE_MB       = var.download.export_inline_mb
      PRESIGN_TTL_SECONDS    = var.download.presign_ttl_seconds
      CACHE_FULL_SECONDS     = var.download.cache_full_seconds
      CACHE_FILTERED_SECONDS = var.download.cache_filtered_seconds
      PAGE_CACHE_SECONDS     = var.download.page_cache_seconds
      MAX_QUERY_BYTES        = var.download.max_query_bytes
      STALL_SECONDS          = var.download.stall_seconds
      PUBLIC_BASE_URL        = local.public_base_url
      LOG_LEVEL              = var.common.log_level
    },
    var.download.exports ? {
      EXPORT_BUCKET = var.create_export_bucket ? module.export_bucket[0].name : local.export_bucket_name
      EXPORT_PREFIX = local.export_prefix
    } : {},
  )

  # Behind CloudFront callers do not see the Function URL's domain. CloudFront's own domain is known only after apply.
  public_base_url = try(compact([var.download.public_base_url, try("https://${var.cdn.aliases[0]}", null)])[0], "")
}

module "layer" {
  source   = "../../modules/layer"
  for_each = toset(["powertools", "pydantic", "isal", "dataset"])

  name            = "${var.name_prefix}-data-${each.key}"
  description     = "${each.key} for the dataset download"
  package_path    = "${var.layer_zip_dir}/${each.key}.zip"
  architecture    = var.common.architecture
  artifact_bucket = each.key == "dataset" ? var.artifact_bucket : null
}

module "download" {
  source = "../../modules/lambda"

  name                   = local.function_name
  description            = "Sends datasets as CSV, JSON and Parquet"
  handler                = local.streams ? "dataset_download/run.sh" : "dataset_download.app.lambda_handler"
  package_path           = "${var.lambda_zip_dir}/dataset_download.zip"
  layer_arns             = [module.layer["powertools"].arn, module.layer["pydantic"].arn, module.layer["isal"].arn, module.layer["dataset"].arn, local.adapter_arn]
  memory_mb              = var.download.memory_mb
  timeout_seconds        = var.download.timeout_seconds
  reserved_concurrency   = var.download.reserved_concurrency
  publish_versions       = var.canary
  policy_documents       = concat([data.aws_iam_policy_document.read.json], data.aws_iam_policy_document.export[*].json, data.aws_iam_policy_document.leave[*].json)
  duration_alarm_seconds = var.download.timeout_seconds * 50 / 60

  environment_variables = merge(
    local.environment,
    var.download.exports ? { EXPORT_FUNCTION = local.export_function_name } : {},
    local.streams ? {
      AWS_LAMBDA_EXEC_WRAPPER      = "/opt/bootstrap"
      AWS_LWA_INVOKE_MODE          = "response_stream"
      AWS_LWA_PORT                 = "8080"
      AWS_LWA_READINESS_CHECK_PATH = "/healthz"
    } : {},
  )

  common = var.common
}

module "export" {
  source = "../../modules/lambda"
  count  = var.download.exports ? 1 : 0

  name             = local.export_function_name
  description      = "Writes downloads that are too large for an answer"
  handler          = "dataset_download.exporter.lambda_handler"
  package_path     = "${var.lambda_zip_dir}/dataset_download.zip"
  layer_arns       = [module.layer["powertools"].arn, module.layer["pydantic"].arn, module.layer["isal"].arn, module.layer["dataset"].arn]
  memory_mb        = var.download.export_memory_mb
  timeout_seconds  = var.download.export_timeout_seconds
  policy_documents = [data.aws_iam_policy_document.read.json, data.aws_iam_policy_document.export[0].json, data.aws_iam_policy_document.fail[0].json]

  environment_variables = local.environment

  async = {
    maximum_event_age_seconds = 3600
    maximum_retry_attempts    = 2
    on_failure_queue_arn      = module.failures[0].arn
  }

  common = var.common
}

resource "aws_lambda_function_url" "download" {
  #checkov:skip=CKV_AWS_258:AWS_IAM is the default; NONE is for emulators, and refused together with CloudFront
  function_name      = module.download.name
  qualifier          = local.alias_name
  authorization_type = var.function_url_auth
  invoke_mode        = local.streams ? "RESPONSE_STREAM" : "BUFFERED"
}

# A Function URL without authorization also needs a resource policy that allows everybody.
resource "aws_lambda_permission" "anybody" {
  #checkov:skip=CKV_AWS_301:Only where function_url_auth is NONE, which is for emulators
  count = var.function_url_auth == "NONE" ? 1 : 0

  statement_id           = "AllowAnybody"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.download.name
  qualifier              = local.alias_name
  principal              = "*"
  function_url_auth_type = "NONE"
}
