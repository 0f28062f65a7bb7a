output "dashboard_name" {
  description = "Name of the dashboard; empty without one."
  value       = try(aws_cloudwatch_dashboard.this[0].dashboard_name, "")
}

output "dashboard_body" {
  description = "The dashboard as JSON, made or not."
  value       = local.body
}
