output "bucket_name" {
  description = "Bucket whose new objects are loaded."
  value       = var.create_bucket ? module.bucket[0].name : local.bucket_name

  # S3 sends no event for an object that is put before the notification exists.
  depends_on = [aws_s3_bucket_notification.source]
}

output "prefixes" {
  description = "Key prefixes to load by partition; the only key is all without partitions."
  value       = local.partitions
}

output "queue_urls" {
  description = "URLs of the event queues by partition."
  value       = { for partition, queue in module.queue : partition => queue.url }
}

output "queue_arns" {
  description = "ARNs of the event queues by partition, for a bucket notification that is configured elsewhere."
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
  description = "ARNs of the layer versions by layer."
  value       = { for name, layer in module.layer : name => layer.arn }
}

output "clickhouse_url" {
  description = "URL of ClickHouse's HTTP interface; empty in a dry run without one."
  value       = local.clickhouse_url
}

output "clickhouse_database" {
  description = "ClickHouse database."
  value       = var.clickhouse.database
}

output "clickhouse_table" {
  description = "ClickHouse table."
  value       = var.clickhouse.table
}

locals {
  scheme         = var.clickhouse.secure ? "https" : "http"
  port           = coalesce(var.clickhouse.port, var.clickhouse.secure ? 8443 : 8123)
  from_host      = var.clickhouse.host == null ? "" : "${local.scheme}://${var.clickhouse.host}:${local.port}"
  clickhouse_url = join("/", compact([trimsuffix(coalesce(var.clickhouse.url, local.from_host, " "), "/"), trim(coalesce(var.clickhouse.path, " "), "/ ")]))
}

output "dashboard" {
  description = "Row of the deployment's dashboard, as modules/observability takes it."
  value       = local.dashboard
}
