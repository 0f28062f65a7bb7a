# Alarms and dashboard of all services at once. tests/infra/test_alarms.py reads what the first run made, and compares it
# with what is really published.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "./tests/mocks"
}

variables {
  environment     = "test"
  aws_region      = "eu-west-1"
  lambda_zip_dir  = "./tests/fixtures/lambdas"
  layer_zip_dir   = "./tests/fixtures/layers"
  alarm_topic_arn = "arn:aws:sns:eu-west-1:111122223333:on-call"
  clickhouse_url  = "https://clickhouse.example.com:8443"

  dataset_download = {
    cdn                        = { enabled = true }
    us_east_1_alarm_topic_arns = ["arn:aws:sns:us-east-1:111122223333:on-call"]
  }
}

run "everything" {
  assert {
    condition     = module.observability.dashboard_name == "sluice-test"
    error_message = "The dashboard is not called <project>-<environment>."
  }

  assert {
    condition     = length([for widget in jsondecode(module.observability.dashboard_body).widgets : widget if widget.type == "text"]) == 5
    error_message = "A service has no row of its own."
  }
}

run "what_is_deployed_has_a_row" {
  module {
    source = "./modules/observability"
  }

  variables {
    name = "acme-test"
    services = [
      { title = "One", functions = ["one"], alarm_arns = [for n in range(120) : "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:${n}"] },
      { title = "Two", functions = ["two"], queues = ["two"], dead_letter_queues = ["two-dlq"], widgets = [{ title = "Done", metrics = [{ namespace = "Acme", name = "Done", dimensions = {} }] }] },
    ]
  }

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [widget.x, widget.y, widget.height]] == [[0, 0, 4], [0, 4, 4], [0, 8, 1], [0, 15, 1], [0, 9, 6], [6, 9, 6], [0, 16, 6], [6, 16, 6], [12, 16, 6], [18, 16, 6], [0, 22, 6]]
    error_message = "Widgets overlap, or leave holes."
  }

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : length(widget.properties.alarms) if widget.type == "alarm"] == [100, 20]
    error_message = "A widget has more alarms than CloudWatch takes, or none."
  }
}

run "dashboard_can_be_off" {
  module {
    source = "./modules/observability"
  }

  variables {
    name              = "acme-test"
    services          = []
    dashboard_enabled = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0 && output.dashboard_name == ""
    error_message = "A dashboard is made although it is off."
  }
}

run "refuses_what_cloudwatch_would_refuse" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    name     = "not a name"
    services = [{ title = "One", functions = [], widgets = [{ title = "Nothing", metrics = [] }] }]
  }

  expect_failures = [var.name, var.services]
}
