output "bucket_name" {
  description = "Bucket of the datasets."
  value       = var.create_bucket ? module.bucket[0].name : local.bucket_name
}

output "prefix" {
  description = "Key prefix of the datasets, empty or with a trailing slash."
  value       = local.prefix
}

output "export_bucket_name" {
  description = "Bucket of the exports; empty without them."
  value       = var.download.exports ? local.export_bucket_name : ""
}

output "function_name" {
  description = "Name of the function behind the URL."
  value       = module.download.name
}

output "export_function_name" {
  description = "Name of the function that writes exports; empty without them."
  value       = var.download.exports ? local.export_function_name : ""
}

output "function_url" {
  description = "The Function URL, without a trailing slash."
  value       = trimsuffix(aws_lambda_function_url.download.function_url, "/")
}

output "function_url_id" {
  description = "ID of the Function URL, the first part of its domain."
  value       = aws_lambda_function_url.download.url_id
}

output "function_arn" {
  description = "ARN on which a caller needs lambda:InvokeFunctionUrl and lambda:InvokeFunction: the alias, if there is one."
  value       = var.canary ? aws_lambda_alias.live[0].arn : module.download.arn
}

output "distribution_domain" {
  description = "CloudFront domain; empty without a distribution."
  value       = var.cdn.enabled ? module.cdn[0].domain_name : ""
}

output "distribution_zone_id" {
  description = "Hosted zone ID for alias records in Route 53; empty without a distribution."
  value       = var.cdn.enabled ? module.cdn[0].hosted_zone_id : ""
}

output "deployment" {
  description = "Input of `aws deploy create-deployment` that moves the alias to the latest published version; null without canary."
  value = var.canary ? {
    applicationName     = aws_codedeploy_app.this[0].name
    deploymentGroupName = aws_codedeploy_deployment_group.this[0].deployment_group_name
    revision = {
      revisionType = "AppSpecContent"
      appSpecContent = {
        content = jsonencode({
          version = "0.0"
          Resources = [{
            function = {
              Type = "AWS::Lambda::Function"
              Properties = {
                Name           = module.download.name
                Alias          = aws_lambda_alias.live[0].name
                CurrentVersion = aws_lambda_alias.live[0].function_version
                TargetVersion  = module.download.version
              }
            }
          }]
        })
      }
    }
  } : null
}

output "dashboard" {
  description = "Row of the deployment's dashboard, as modules/observability takes it."
  value       = local.dashboard
}
