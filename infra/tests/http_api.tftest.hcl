# Who may call an API, and what answers.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "acme-api"
  description = "Does things"
  functions = {
    write = { name = "acme-write", invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/write" }
    read  = { name = "acme-read", invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/read" }
  }
  routes = {
    "POST /things" = "write"
    "$default"     = "read"
  }
}

run "signed_requests_reach_their_functions_by_default" {
  module {
    source = "./modules/http_api"
  }

  assert {
    condition     = alltrue([for route in values(aws_apigatewayv2_route.this) : route.authorization_type == "AWS_IAM"])
    error_message = "A route is open by default."
  }

  assert {
    condition     = length(aws_apigatewayv2_authorizer.jwt) == 0
    error_message = "An authorizer is made that nothing uses."
  }

  assert {
    condition     = aws_apigatewayv2_route.this["POST /things"].target == "integrations/${aws_apigatewayv2_integration.this["write"].id}" && aws_apigatewayv2_route.this["$default"].target == "integrations/${aws_apigatewayv2_integration.this["read"].id}"
    error_message = "A route leads to the wrong function."
  }

  assert {
    condition     = alltrue([for integration in values(aws_apigatewayv2_integration.this) : integration.payload_format_version == "2.0"])
    error_message = "The functions expect payload format 2.0."
  }

  assert {
    condition     = alltrue([for permission in values(aws_lambda_permission.this) : permission.source_arn == "arn:aws:execute-api:eu-west-1:111122223333:mocked/*"])
    error_message = "Other APIs than this one may invoke the functions."
  }
}

run "tokens_are_checked" {
  module {
    source = "./modules/http_api"
  }

  variables {
    auth = "JWT"
    jwt  = { issuer = "https://issuer.example.com", audience = ["things"] }
  }

  assert {
    condition     = alltrue([for route in values(aws_apigatewayv2_route.this) : route.authorization_type == "JWT" && route.authorizer_id == aws_apigatewayv2_authorizer.jwt[0].id])
    error_message = "A route does not ask for a token."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].issuer == "https://issuer.example.com" && aws_apigatewayv2_authorizer.jwt[0].jwt_configuration[0].audience == toset(["things"])
    error_message = "Tokens of other issuers or audiences are taken."
  }
}

run "tokens_need_an_issuer" {
  command = plan

  module {
    source = "./modules/http_api"
  }

  variables {
    auth = "JWT"
  }

  expect_failures = [aws_apigatewayv2_api.this]
}

run "tokens_need_an_audience" {
  command = plan

  module {
    source = "./modules/http_api"
  }

  variables {
    auth = "JWT"
    jwt  = { issuer = "https://issuer.example.com", audience = [] }
  }

  expect_failures = [aws_apigatewayv2_api.this]
}

run "open_only_when_asked" {
  module {
    source = "./modules/http_api"
  }

  variables {
    auth = "NONE"
  }

  assert {
    condition     = alltrue([for route in values(aws_apigatewayv2_route.this) : route.authorization_type == "NONE"])
    error_message = "A route is not open."
  }
}

run "preflight_passes_without_credentials_and_requests_are_logged_and_throttled" {
  module {
    source = "./modules/http_api"
  }

  variables {
    cors                   = { allow_origins = ["https://app.example.com"] }
    throttling_rate_limit  = 5
    throttling_burst_limit = 7
  }

  assert {
    condition     = aws_apigatewayv2_route.this["OPTIONS /{proxy+}"].authorization_type == "NONE" && aws_apigatewayv2_route.this["$default"].authorization_type == "AWS_IAM"
    error_message = "A browser's preflight is refused, or more than it is open."
  }

  assert {
    condition     = aws_apigatewayv2_api.this.cors_configuration[0].allow_origins == toset(["https://app.example.com"])
    error_message = "The origin is not allowed."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.access_log_settings[0].destination_arn == aws_cloudwatch_log_group.access.arn && startswith(aws_cloudwatch_log_group.access.name, "/aws/vendedlogs/")
    error_message = "Requests are not logged."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 5 && aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 7
    error_message = "Requests are not throttled."
  }
}

run "refuses_a_route_to_nowhere" {
  command = plan

  module {
    source = "./modules/http_api"
  }

  variables {
    routes = { "$default" = "nobody" }
  }

  expect_failures = [aws_apigatewayv2_api.this]
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/http_api"
  }

  variables {
    auth                   = "API_KEY"
    routes                 = { "POST /things" = "write" }
    throttling_rate_limit  = 0
    throttling_burst_limit = 0
  }

  expect_failures = [var.auth, var.routes, var.throttling_rate_limit, var.throttling_burst_limit]
}
