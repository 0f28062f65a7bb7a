output "role_arn" {
  description = "ARN of the replication role."
  value       = aws_iam_role.this.arn
}

output "rule_id" {
  description = "ID of the replication rule, the dimension RuleId of the metrics."
  value       = local.rule_id

  depends_on = [aws_s3_bucket_replication_configuration.this]
}

output "alarm_arns" {
  description = "ARNs of the alarms on replication."
  value       = values(module.alarms.arns)
}

output "metric_dimensions" {
  description = "Dimensions of S3's replication metrics."
  value       = local.metric_dimensions
}
