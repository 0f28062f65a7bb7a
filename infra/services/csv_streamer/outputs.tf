output "bucket_name" {
  description = "Bucket of the files and of config/parameters.json."
  value       = var.create_bucket ? module.bucket[0].name : local.bucket_name
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "function_arn" {
  description = "ARN for granting lambda:InvokeFunction to callers."
  value       = module.function.arn
}

output "failures_queue_url" {
  description = "URL of the queue for asynchronous invocations that failed after all retries."
  value       = module.failures.url
}

output "dashboard" {
  description = "Row of the deployment's dashboard, as modules/observability takes it."
  value       = local.dashboard
}
