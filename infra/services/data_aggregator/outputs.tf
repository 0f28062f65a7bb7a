output "source_bucket_name" {
  description = "Bucket whose new objects are bundled."
  value       = var.create_source_bucket ? module.source_bucket[0].name : local.source_bucket_name

  # S3 sends no event for an object that is put before the notification exists.
  depends_on = [aws_s3_bucket_notification.source]
}

output "distribution_bucket_name" {
  description = "Bucket of the bundles."
  value       = var.create_distribution_bucket ? module.distribution_bucket[0].name : local.distribution_bucket_name

  # S3 does not replicate a bundle that is written before the replication exists.
  depends_on = [module.replication]
}

output "archive_bucket_name" {
  description = "Bucket that S3 replicates the bundles to; empty without replication."
  value       = var.replication_enabled ? local.archive_bucket_name : ""
}

output "queue_url" {
  description = "URL of the event queue."
  value       = module.queue.url
}

output "queue_arn" {
  description = "ARN of the event queue, for a bucket notification that is configured elsewhere."
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
  description = "Row of the deployment's dashboard, as modules/observability takes it."
  value       = local.dashboard
}
