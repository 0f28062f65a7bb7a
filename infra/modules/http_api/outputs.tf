output "id" {
  description = "ID of the API."
  value       = aws_apigatewayv2_api.this.id
}

output "endpoint" {
  description = "URL of the API, without a trailing slash."
  value       = aws_apigatewayv2_api.this.api_endpoint

  # The endpoint does not respond before the stage is deployed.
  depends_on = [aws_apigatewayv2_stage.this, aws_apigatewayv2_route.this, aws_lambda_permission.this]
}

output "execution_arn" {
  description = "ARN for granting execute-api:Invoke to callers, with /* or /<stage>/<method>/<path> appended."
  value       = aws_apigatewayv2_api.this.execution_arn
}

output "access_log_group_name" {
  description = "Log group of the access log."
  value       = aws_cloudwatch_log_group.access.name
}

output "alarm_arns" {
  description = "ARNs of the alarms on the API."
  value       = values(module.alarms.arns)
}
