output "role_arn" {
  description = "ARN of the role that S3 copies under."
  value       = aws_iam_role.this.arn
}

output "rule_id" {
  description = "Id of the rule, as the metrics' RuleId names it."
  value       = local.rule_id

  depends_on = [aws_s3_bucket_replication_configuration.this]
}
