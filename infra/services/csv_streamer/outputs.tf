output "bucket_name" {
  description = "Bucket that the files go to and config/parameters.json lies in."
  value       = var.create_bucket ? module.bucket[0].name : local.bucket_name
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "function_arn" {
  description = "ARN to grant callers lambda:InvokeFunction on."
  value       = module.function.arn
}

output "failures_queue_url" {
  description = "URL of the queue that asynchronous invocations which failed for good are reported to."
  value       = module.failures.url
}

output "dashboard" {
  description = "What the deployment's dashboard shows of this service: see modules/observability."
  value       = local.dashboard
}
