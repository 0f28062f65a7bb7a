output "name" {
  description = "Name of the queue."
  value       = aws_sqs_queue.this.name
}

output "url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.this.url
}

output "arn" {
  description = "ARN of the queue."
  value       = aws_sqs_queue.this.arn
}

output "dlq_name" {
  description = "Name of the dead-letter queue."
  value       = module.dead_letters.name
}

output "dlq_url" {
  description = "URL of the dead-letter queue."
  value       = module.dead_letters.url
}

output "dlq_arn" {
  description = "ARN of the dead-letter queue."
  value       = module.dead_letters.arn
}
