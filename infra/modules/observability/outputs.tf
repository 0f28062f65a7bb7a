output "dashboard_name" {
  description = "Name of the dashboard; empty without one."
  value       = try(aws_cloudwatch_dashboard.this[0].dashboard_name, "")
}

output "dashboard_body" {
  description = "Body of the dashboard as JSON, even if it is not created."
  value       = local.body
}
