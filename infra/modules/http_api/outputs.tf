output "id" {
  description = "Id of the API."
  value       = aws_apigatewayv2_api.this.id
}

output "endpoint" {
  description = "Address of the API, without a slash at the end."
  value       = aws_apigatewayv2_api.this.api_endpoint

  # Nothing answers there before the stage is deployed.
  depends_on = [aws_apigatewayv2_stage.this, aws_apigatewayv2_route.this, aws_lambda_permission.this]
}

output "execution_arn" {
  description = "ARN to grant callers execute-api:Invoke on, with /* or /<stage>/<method>/<path> behind it."
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
