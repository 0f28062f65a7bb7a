output "api_id" {
  description = "ID of the HTTP API."
  value       = module.api.id
}

output "api_endpoint" {
  description = "URL of the API, without a trailing slash; the path is /zip-jobs."
  value       = module.api.endpoint
}

output "api_execution_arn" {
  description = "ARN for granting execute-api:Invoke to callers, with /* appended."
  value       = module.api.execution_arn
}

output "src_bucket_name" {
  description = "Default source bucket of requests."
  value       = local.source_buckets[0]
}

output "dst_bucket_name" {
  description = "Default destination bucket of requests."
  value       = local.target_buckets[0]
}

output "queue_url" {
  description = "URL of the job queue."
  value       = module.queue.url
}

output "dlq_url" {
  description = "URL of the dead-letter queue."
  value       = module.queue.dlq_url
}

output "table_name" {
  description = "Name of the job table."
  value       = module.table.name
}

output "function_names" {
  description = "Names of the functions, by role."
  value = {
    enqueue = module.enqueue.name
    status  = module.status.name
    worker  = module.worker.name
    settler = module.settler.name
  }
}

output "dashboard" {
  description = "Row of the deployment's dashboard, as modules/observability takes it."
  value       = local.dashboard
}
