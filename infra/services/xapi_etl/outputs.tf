output "bucket_name" {
  description = "Bucket whose new objects are loaded."
  value       = var.create_bucket ? module.bucket[0].name : local.bucket_name

  # An object that is put before this is never heard of.
  depends_on = [aws_s3_bucket_notification.source]
}

output "prefixes" {
  description = "Key prefixes that are loaded, by partition; one, called all, without partitions."
  value       = local.partitions
}

output "queue_urls" {
  description = "URLs of the queues of events, by partition."
  value       = { for partition, queue in module.queue : partition => queue.url }
}

output "queue_arns" {
  description = "ARNs of the queues of events, by partition, for the notification of a bucket that is configured elsewhere."
  value       = { for partition, queue in module.queue : partition => queue.arn }
}

output "dlq_urls" {
  description = "URLs of the dead-letter queues, by partition."
  value       = { for partition, queue in module.queue : partition => queue.dlq_url }
}

output "function_names" {
  description = "Names of the functions, by partition."
  value       = { for partition, function in module.function : partition => function.name }
}

output "layer_arns" {
  description = "ARNs of the layers' versions, as functions name them, by layer."
  value       = { for name, layer in module.layer : name => layer.arn }
}

output "clickhouse_url" {
  description = "Where ClickHouse's HTTP interface is; empty in a dry run that knows none."
  value       = local.clickhouse_url
}

output "clickhouse_database" {
  description = "Database that rows go to."
  value       = var.clickhouse.database
}

output "clickhouse_table" {
  description = "Table that rows go to."
  value       = var.clickhouse.table
}

locals {
  scheme         = var.clickhouse.secure ? "https" : "http"
  port           = coalesce(var.clickhouse.port, var.clickhouse.secure ? 8443 : 8123)
  from_host      = var.clickhouse.host == null ? "" : "${local.scheme}://${var.clickhouse.host}:${local.port}"
  clickhouse_url = join("/", compact([trimsuffix(coalesce(var.clickhouse.url, local.from_host, " "), "/"), trim(coalesce(var.clickhouse.path, " "), "/ ")]))
}

output "dashboard" {
  description = "What the deployment's dashboard shows of this service: see modules/observability."
  value       = local.dashboard
}
