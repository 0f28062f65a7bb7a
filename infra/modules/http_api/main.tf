# An HTTP API whose routes invoke Lambda functions, with one authorization type for all routes.

locals {
  # A browser's preflight request has no credentials. API Gateway would respond itself, but a $default route with
  # authorization catches it first.
  preflight_route = var.cors != null && var.auth != "NONE" ? { "OPTIONS /{proxy+}" = var.routes["$default"] } : {}
  routes          = merge(var.routes, local.preflight_route)
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = var.description
  protocol_type = "HTTP"
  tags          = var.common.tags

  dynamic "cors_configuration" {
    for_each = var.cors == null ? [] : [var.cors]

    content {
      allow_origins  = cors_configuration.value.allow_origins
      allow_methods  = cors_configuration.value.allow_methods
      allow_headers  = cors_configuration.value.allow_headers
      expose_headers = cors_configuration.value.expose_headers
      max_age        = cors_configuration.value.max_age_seconds
    }
  }

  lifecycle {
    precondition {
      condition     = var.auth != "JWT" || (var.jwt != null && try(startswith(var.jwt.issuer, "https://"), false) && try(length(var.jwt.audience), 0) > 0)
      error_message = "JWT authorization needs jwt.issuer (an https URL) and at least one jwt.audience."
    }

    precondition {
      condition     = alltrue([for target in values(var.routes) : contains(keys(var.functions), target)])
      error_message = "Each route must name one of the functions."
    }
  }
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.auth == "JWT" ? 1 : 0

  api_id           = aws_apigatewayv2_api.this.id
  name             = "${var.name}-jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audience
  }
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = var.functions

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = each.value.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_route" "this" {
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
  authorization_type = each.key == "OPTIONS /{proxy+}" ? "NONE" : var.auth
  authorizer_id      = var.auth == "JWT" && each.key != "OPTIONS /{proxy+}" ? aws_apigatewayv2_authorizer.jwt[0].id : null
}

# The prefix covers the log groups of all APIs by one resource policy, whose size is limited.
resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is a cost that each environment chooses
  name              = "/aws/vendedlogs/apigateway/${var.name}"
  retention_in_days = var.common.log_retention_days
  kms_key_id        = var.common.kms_key_arn
  tags              = var.common.tags
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
  tags        = var.common.tags

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn

    format = jsonencode({
      time             = "$context.requestTime"
      requestId        = "$context.requestId"
      sourceIp         = "$context.identity.sourceIp"
      caller           = "$context.identity.userArn"
      routeKey         = "$context.routeKey"
      method           = "$context.httpMethod"
      path             = "$context.path"
      status           = "$context.status"
      responseBytes    = "$context.responseLength"
      durationMs       = "$context.responseLatency"
      authorizerError  = "$context.authorizer.error"
      integrationError = "$context.integrationErrorMessage"
    })
  }

  default_route_settings {
    throttling_rate_limit  = var.throttling_rate_limit
    throttling_burst_limit = var.throttling_burst_limit
  }
}

resource "aws_lambda_permission" "this" {
  for_each = var.functions

  statement_id  = "AllowHttpApi"
  action        = "lambda:InvokeFunction"
  function_name = each.value.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}

# Functions return failures as responses and do not raise them, so Lambda's Errors metric does not count them.
module "alarms" {
  source = "../alarms"

  name_prefix = var.name
  common      = var.common

  alarms = {
    api-5xx = {
      description = "Over ${var.error_alarm_percent} % of the requests to the API ${var.name} were answered with a 5xx."
      runbook     = "api-5xx"
      namespace   = "AWS/ApiGateway"
      expression  = "100 * errors / requests"
      metrics     = { errors = "5xx", requests = "Count" }
      dimensions  = { ApiId = aws_apigatewayv2_api.this.id }
      statistic   = "Sum"
      threshold   = var.error_alarm_percent
    }

    # Single 4xx are callers' mistakes. If most of many requests fail for 15 minutes, a credential has expired, a client
    # is looping, or requests are throttled.
    api-4xx = {
      description = "For 15 minutes over half of at least 100 requests in 5 minutes to the API ${var.name} were refused."
      runbook     = "api-4xx"
      namespace   = "AWS/ApiGateway"
      expression  = "IF(requests >= 100, 100 * refused / requests, 0)"
      metrics     = { refused = "4xx", requests = "Count" }
      dimensions  = { ApiId = aws_apigatewayv2_api.this.id }
      statistic   = "Sum"
      threshold   = 50
      periods     = 3
    }
  }
}
