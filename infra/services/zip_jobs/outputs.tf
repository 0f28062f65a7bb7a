output "api_id" {
  description = "Id of the HTTP API."
  value       = module.api.id
}

output "api_endpoint" {
  description = "Address of the API, without a slash at the end; /zip-jobs follows."
  value       = module.api.endpoint
}

output "api_execution_arn" {
  description = "ARN to grant callers execute-api:Invoke on, with /* behind it."
  value       = module.api.execution_arn
}

output "src_bucket_name" {
  description = "Source bucket of requests that name none."
  value       = local.source_buckets[0]
}

output "dst_bucket_name" {
  description = "Destination bucket of requests that name none."
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
  description = "What the deployment's dashboard shows of this service: see modules/observability."
  value       = local.dashboard
}
