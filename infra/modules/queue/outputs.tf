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

output "alarm_arns" {
  description = "ARNs of the alarms on the queue and its dead-letter queue."
  value       = concat(aws_cloudwatch_metric_alarm.oldest_message[*].arn, module.dead_letters.alarm_arns)
}
