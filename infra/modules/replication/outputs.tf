output "role_arn" {
  description = "ARN of the role that S3 copies under."
  value       = aws_iam_role.this.arn
}

output "rule_id" {
  description = "Id of the rule, as the metrics' RuleId names it."
  value       = local.rule_id

  depends_on = [aws_s3_bucket_replication_configuration.this]
}

output "alarm_arns" {
  description = "ARNs of the alarms on the copies."
  value       = values(module.alarms.arns)
}

output "metric_dimensions" {
  description = "Dimensions of S3's metrics on the copies."
  value       = local.metric_dimensions
}
