output "domain_name" {
  description = "CloudFront domain of the distribution; DNS records of aliases point to it."
  value       = aws_cloudfront_distribution.this.domain_name
}

output "arn" {
  description = "ARN of the distribution."
  value       = aws_cloudfront_distribution.this.arn
}

output "hosted_zone_id" {
  description = "Hosted zone ID for alias records in Route 53."
  value       = aws_cloudfront_distribution.this.hosted_zone_id
}

output "id" {
  description = "ID of the distribution."
  value       = aws_cloudfront_distribution.this.id
}

output "alarm_arns" {
  description = "ARN of the alarm in us-east-1, if it is created."
  value       = aws_cloudwatch_metric_alarm.errors[*].arn
}
