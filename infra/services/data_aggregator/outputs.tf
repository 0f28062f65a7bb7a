output "source_bucket_name" {
  description = "Bucket whose new objects are bundled."
  value       = var.create_source_bucket ? module.source_bucket[0].name : local.source_bucket_name

  # An object that is put before this is never heard of.
  depends_on = [aws_s3_bucket_notification.source]
}

output "distribution_bucket_name" {
  description = "Bucket that the bundles are written to."
  value       = var.create_distribution_bucket ? module.distribution_bucket[0].name : local.distribution_bucket_name

  # Nor is a bundle that is written before this copied.
  depends_on = [module.replication]
}

output "archive_bucket_name" {
  description = "Bucket that S3 copies the bundles to; empty without replication."
  value       = var.replication_enabled ? local.archive_bucket_name : ""
}

output "queue_url" {
  description = "URL of the queue of events."
  value       = module.queue.url
}

output "queue_arn" {
  description = "ARN of the queue of events, for the notification of a bucket that is configured elsewhere."
  value       = module.queue.arn
}

output "dlq_url" {
  description = "URL of the dead-letter queue."
  value       = module.queue.dlq_url
}

output "table_name" {
  description = "Name of the idempotency table."
  value       = module.table.name
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "glue_table" {
  description = "Database and table for Athena, as database.table; empty without one."
  value       = var.create_glue_table ? "${aws_glue_catalog_database.this[0].name}.${aws_glue_catalog_table.bundles[0].name}" : ""
}

output "dashboard" {
  description = "What the deployment's dashboard shows of this service: see modules/observability."
  value       = local.dashboard
}
