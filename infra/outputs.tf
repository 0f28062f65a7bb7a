# Outputs that scripts and tests rely on. The outputs of a disabled service are empty.

output "aws_endpoint_url" {
  description = "Endpoint URL of the emulator; empty in AWS."
  value       = var.aws_endpoint_url

  # With state in workspaces, a forgotten `workspace select` would turn one environment into another.
  precondition {
    condition     = contains(["default", var.environment], terraform.workspace)
    error_message = "The workspace ${terraform.workspace} does not hold the environment ${var.environment}: run terraform workspace select -or-create ${var.environment}."
  }
}

output "aws_region" {
  description = "Region of the deployment."
  value       = var.aws_region
}

output "api_base" {
  description = "URL of the ZIP jobs API, without a trailing slash; the path is /zip-jobs."
  value       = local.api_base
}

output "zip_source_bucket" {
  description = "Bucket of the objects to archive."
  value       = var.enable_zip_jobs ? module.zip_jobs[0].src_bucket_name : ""
}

output "zip_destination_bucket" {
  description = "Bucket of the archives."
  value       = var.enable_zip_jobs ? module.zip_jobs[0].dst_bucket_name : ""
}

output "zip_queue_url" {
  description = "URL of the job queue."
  value       = var.enable_zip_jobs ? module.zip_jobs[0].queue_url : ""
}

output "zip_dlq_url" {
  description = "URL of the dead-letter queue."
  value       = var.enable_zip_jobs ? module.zip_jobs[0].dlq_url : ""
}

output "zip_jobs_table" {
  description = "Name of the job table."
  value       = var.enable_zip_jobs ? module.zip_jobs[0].table_name : ""
}

output "csv_bucket" {
  description = "Bucket that the CSV streamer writes to; it contains config/parameters.json."
  value       = var.enable_csv_streamer ? module.csv_streamer[0].bucket_name : ""
}

output "csv_streamer_function" {
  description = "Name of the CSV streamer."
  value       = var.enable_csv_streamer ? module.csv_streamer[0].function_name : ""
}

output "aggregator_source_bucket" {
  description = "Bucket whose new objects are bundled."
  value       = var.enable_data_aggregator ? module.data_aggregator[0].source_bucket_name : ""
}

output "distribution_bucket" {
  description = "Bucket of the bundles."
  value       = var.enable_data_aggregator ? module.data_aggregator[0].distribution_bucket_name : ""
}

output "archive_bucket" {
  description = "Bucket that the bundles are replicated to."
  value       = var.enable_data_aggregator ? module.data_aggregator[0].archive_bucket_name : ""
}

output "aggregator_queue_url" {
  description = "URL of the data aggregator's queue."
  value       = var.enable_data_aggregator ? module.data_aggregator[0].queue_url : ""
}

output "aggregator_dlq_url" {
  description = "URL of its dead-letter queue."
  value       = var.enable_data_aggregator ? module.data_aggregator[0].dlq_url : ""
}

output "idempotency_table" {
  description = "Name of the table that records which source is in which bundle."
  value       = var.enable_data_aggregator ? module.data_aggregator[0].table_name : ""
}

output "data_aggregator_function" {
  description = "Name of the data aggregator."
  value       = var.enable_data_aggregator ? module.data_aggregator[0].function_name : ""
}

output "xapi_bucket" {
  description = "Bucket whose new objects the xAPI ETL loads."
  value       = local.xapi.bucket
}

output "xapi_prefix" {
  description = "Key prefix of these objects; of the first partition, if there are any."
  value       = local.xapi.prefix
}

output "xapi_queue_url" {
  description = "URL of the xAPI ETL's queue; of the first partition, if there are any."
  value       = local.xapi.queue_url
}

output "xapi_dlq_url" {
  description = "URL of its dead-letter queue."
  value       = local.xapi.dlq_url
}

output "xapi_etl_function" {
  description = "Name of the xAPI ETL's function; of the first partition, if there are any."
  value       = local.xapi.function
}

output "clickhouse_url" {
  description = "URL of ClickHouse's HTTP interface."
  value       = local.xapi.url
}

output "clickhouse_database" {
  description = "Database that the xAPI ETL writes to."
  value       = local.xapi.database
}

output "clickhouse_table" {
  description = "Table that the xAPI ETL writes to."
  value       = local.xapi.table
}

output "dataset_bucket" {
  description = "Bucket of the datasets."
  value       = var.enable_dataset_download ? module.dataset_download[0].bucket_name : ""
}

output "dataset_prefix" {
  description = "Key prefix of the datasets; empty for none."
  value       = var.enable_dataset_download ? module.dataset_download[0].prefix : ""
}

output "dataset_url" {
  description = "Function URL of the dataset download, without a trailing slash; the path is /<dataset>.csv."
  value       = local.dataset_url
}

output "dataset_stream_url" {
  description = "URL of the offline stack's streaming server, since the emulator's Function URL cannot stream; empty in AWS."
  value       = var.enable_dataset_download ? var.dataset_stream_url : ""
}

output "dataset_export_bucket" {
  description = "Bucket of the exports."
  value       = var.enable_dataset_download ? module.dataset_download[0].export_bucket_name : ""
}

output "dataset_download_function" {
  description = "Name of the dataset download."
  value       = var.enable_dataset_download ? module.dataset_download[0].function_name : ""
}

output "dataset_export_function" {
  description = "Name of the function that writes exports."
  value       = var.enable_dataset_download ? module.dataset_download[0].export_function_name : ""
}

output "distribution_domain" {
  description = "CloudFront domain of the dataset download; empty without CloudFront."
  value       = var.enable_dataset_download ? module.dataset_download[0].distribution_domain : ""
}

output "dataset_deployment" {
  description = "Input of aws deploy create-deployment --cli-input-json that moves requests to the latest version of the dataset download; null without canary."
  value       = var.enable_dataset_download ? module.dataset_download[0].deployment : null
}

locals {
  # An emulator reports a host name under localhost, which many resolvers cannot resolve.
  api_bases = [
    for service in module.zip_jobs :
    local.is_emulator ? "${var.aws_endpoint_url}/_aws/execute-api/${service.api_id}" : service.api_endpoint
  ]
  api_base = try(local.api_bases[0], "")

  dataset_urls = [
    for service in module.dataset_download :
    local.is_emulator ? "${var.aws_endpoint_url}/_aws/lambda-url/${service.function_url_id}" : service.function_url
  ]
  dataset_url = try(local.dataset_urls[0], "")

  xapi = local.xapi_etl_enabled ? {
    bucket    = module.xapi_etl[0].bucket_name
    prefix    = values(module.xapi_etl[0].prefixes)[0]
    queue_url = values(module.xapi_etl[0].queue_urls)[0]
    dlq_url   = values(module.xapi_etl[0].dlq_urls)[0]
    function  = values(module.xapi_etl[0].function_names)[0]
    url       = module.xapi_etl[0].clickhouse_url
    database  = module.xapi_etl[0].clickhouse_database
    table     = module.xapi_etl[0].clickhouse_table
  } : { bucket = "", prefix = "", queue_url = "", dlq_url = "", function = "", url = "", database = "", table = "" }
}
