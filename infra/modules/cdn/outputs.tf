output "domain_name" {
  description = "CloudFront's own name of the distribution; an alias is a DNS record that leads to it."
  value       = aws_cloudfront_distribution.this.domain_name
}

output "arn" {
  description = "ARN of the distribution."
  value       = aws_cloudfront_distribution.this.arn
}

output "hosted_zone_id" {
  description = "Zone for alias records in Route 53."
  value       = aws_cloudfront_distribution.this.hosted_zone_id
}

output "id" {
  description = "Id of the distribution."
  value       = aws_cloudfront_distribution.this.id
}

output "alarm_arns" {
  description = "ARN of the alarm, if it is made; it is in us-east-1."
  value       = aws_cloudwatch_metric_alarm.errors[*].arn
}
