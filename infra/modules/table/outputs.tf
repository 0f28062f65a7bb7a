output "name" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "ARN of the table. /index/<name> is appended for an index."
  value       = aws_dynamodb_table.this.arn
}

output "alarm_arns" {
  description = "ARNs of the alarms on the table."
  value       = values(module.alarms.arns)
}
