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

output "alarm_arns" {
  description = "ARN of the alarm, if it is created."
  value       = aws_cloudwatch_metric_alarm.messages[*].arn
}
