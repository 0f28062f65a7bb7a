# The root: names, outputs, switches, and the values that it refuses.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "./tests/mocks"
}

variables {
  environment    = "test"
  aws_region     = "eu-west-1"
  lambda_zip_dir = "./tests/fixtures/lambdas"
  layer_zip_dir  = "./tests/fixtures/layers"
}

run "names_are_made_from_project_and_environment" {
  variables {
    project_name = "acme"
  }

  assert {
    condition     = module.zip_jobs[0].function_names == { enqueue = "acme-test-zip-enqueue", status = "acme-test-zip-status", worker = "acme-test-zip-worker", settler = "acme-test-zip-settler" }
    error_message = "Functions are not named <project>-<environment>-<thing>."
  }

  assert {
    condition     = [output.zip_jobs_table, output.idempotency_table] == ["acme-test-zip-jobs", "acme-test-aggregator-idempotency"]
    error_message = "A table is not named <project>-<environment>-<thing>."
  }

  assert {
    condition     = [output.csv_streamer_function, output.data_aggregator_function] == ["acme-test-csv-streamer", "acme-test-data-aggregator"]
    error_message = "Functions are not named <project>-<environment>-<thing>."
  }
}

run "settings_of_a_service_reach_it" {
  variables {
    csv_streamer    = { create_bucket = false, bucket_name = "acme-lake" }
    data_aggregator = { create_source_bucket = false, source_bucket_name = "acme-events", replication_enabled = false }
  }

  assert {
    condition     = output.csv_bucket == "acme-lake" && output.aggregator_source_bucket == "acme-events" && output.archive_bucket == ""
    error_message = "A setting is lost on its way to the service."
  }
}

run "aws_outputs_point_at_aws" {
  assert {
    condition     = output.api_base == "https://mocked.execute-api.eu-west-1.amazonaws.com"
    error_message = "api_base is not the API's own address."
  }

  assert {
    condition     = output.aws_endpoint_url == "" && output.aws_region == "eu-west-1"
    error_message = "aws_endpoint_url must be empty in AWS, and the region that of the deployment."
  }
}

run "emulator_outputs_use_the_path_form" {
  variables {
    aws_endpoint_url = "http://127.0.0.1:4567"
  }

  assert {
    condition     = output.api_base == "http://127.0.0.1:4567/_aws/execute-api/mocked"
    error_message = "api_base does not reach the API through the emulator's own address."
  }

  assert {
    condition     = output.dataset_url == "http://127.0.0.1:4567/_aws/lambda-url/mockedurl"
    error_message = "dataset_url does not reach the function through the emulator's own address."
  }

  assert {
    condition     = output.aws_endpoint_url == "http://127.0.0.1:4567"
    error_message = "aws_endpoint_url is not handed on."
  }
}

run "etl_is_deployed_where_a_clickhouse_is_known" {
  variables {
    clickhouse_url = "https://clickhouse.example.com:8443"
    xapi_etl       = { source_prefix = "lrs/", clickhouse = { database = "learning" } }
  }

  assert {
    condition     = [output.xapi_etl_function, output.xapi_prefix, output.clickhouse_url, output.clickhouse_database, output.clickhouse_table] == ["sluice-test-xapi-etl", "lrs/", "https://clickhouse.example.com:8443", "learning", "statements"]
    error_message = "A setting of the xAPI ETL is lost on its way."
  }
}

run "download_is_private_and_streams" {
  assert {
    condition     = output.dataset_url == "https://mockedurl.lambda-url.eu-west-1.on.aws" && output.dataset_stream_url == "" && output.dataset_prefix == ""
    error_message = "dataset_url is not the Function URL without its last slash, or AWS has a streaming server of its own."
  }

  assert {
    condition     = [output.dataset_download_function, output.dataset_export_function] == ["sluice-test-dataset-download", "sluice-test-dataset-export"]
    error_message = "Functions are not named <project>-<environment>-<thing>."
  }
}

run "settings_of_the_download_reach_it" {
  variables {
    dataset_download = { prefix = "public", cdn = { enabled = true }, canary = true }
  }

  assert {
    condition     = output.dataset_prefix == "public/" && output.distribution_domain == "mocked.cloudfront.net" && output.dataset_deployment.applicationName == "sluice-test-dataset-download"
    error_message = "A setting of the dataset download is lost on its way."
  }
}

run "no_clickhouse_no_etl" {
  assert {
    condition     = length(module.xapi_etl) == 0 && output.xapi_bucket == "" && output.clickhouse_url == ""
    error_message = "The xAPI ETL is deployed without a place for its rows."
  }
}

run "existing_artifact_bucket_is_used" {
  variables {
    clickhouse_url       = "https://clickhouse.example.com:8443"
    artifact_bucket_name = "acme-artifacts"
  }

  assert {
    condition     = length(module.artifact_bucket) == 0 && local.artifact_bucket.name == "acme-artifacts"
    error_message = "A bucket for layers is made although there is one."
  }
}

run "service_off_makes_nothing_and_leaves_outputs_empty" {
  variables {
    enable_zip_jobs         = false
    enable_csv_streamer     = false
    enable_data_aggregator  = false
    enable_xapi_etl         = false
    clickhouse_url          = "https://clickhouse.example.com:8443"
    enable_dataset_download = false
    dataset_stream_url      = "http://127.0.0.1:4569"
  }

  assert {
    condition     = length(module.artifact_bucket) == 0
    error_message = "A bucket for layers is made that no service needs."
  }

  assert {
    condition     = length(module.dataset_download) == 0 && length(module.xapi_etl) == 0 && length(module.zip_jobs) == 0 && length(module.csv_streamer) == 0 && length(module.data_aggregator) == 0
    error_message = "A service is deployed although it is switched off."
  }

  assert {
    condition = alltrue([
      for value in [
        output.api_base, output.zip_source_bucket, output.zip_destination_bucket, output.zip_queue_url, output.zip_dlq_url, output.zip_jobs_table,
        output.csv_bucket, output.csv_streamer_function,
        output.aggregator_source_bucket, output.distribution_bucket, output.archive_bucket, output.aggregator_queue_url, output.aggregator_dlq_url,
        output.idempotency_table, output.data_aggregator_function,
        output.xapi_bucket, output.xapi_prefix, output.xapi_queue_url, output.xapi_dlq_url, output.xapi_etl_function,
        output.clickhouse_url, output.clickhouse_database, output.clickhouse_table,
        output.dataset_bucket, output.dataset_prefix, output.dataset_url, output.dataset_stream_url, output.dataset_export_bucket,
        output.dataset_download_function, output.dataset_export_function, output.distribution_domain,
      ] :
      value == ""
    ])
    error_message = "An output of the service that is switched off is not empty."
  }
}

run "alarm_mail_gets_a_topic" {
  variables {
    alarm_email = "on-call@example.com"
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 1 && aws_sns_topic_subscription.alarms[0].endpoint == "on-call@example.com"
    error_message = "alarm_email made no topic with a subscription."
  }

  assert {
    condition     = local.alarm_topic_arns == ["arn:aws:sns:eu-west-1:111122223333:mocked"]
    error_message = "The alarms are not published to the topic."
  }
}

run "alarm_topic_takes_only_this_accounts_alarms" {
  variables {
    alarm_email = "on-call@example.com"
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.alarms[0].statement :
      toset([for condition in statement.condition : condition.variable]) == toset(["aws:SourceAccount", "aws:SourceArn"])
    ])
    error_message = "Publishing to the topic is not bound to this account's alarms."
  }
}

run "no_alarms_no_topic" {
  variables {
    alarm_email    = "on-call@example.com"
    alarms_enabled = false
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0
    error_message = "A topic is made although alarms are off."
  }
}

run "existing_topic_is_used" {
  variables {
    alarm_topic_arn = "arn:aws:sns:eu-west-1:111122223333:on-call"
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && local.alarm_topic_arns == ["arn:aws:sns:eu-west-1:111122223333:on-call"]
    error_message = "The existing topic is not the only one used."
  }
}

run "refuses_unusable_names" {
  command = plan

  variables {
    project_name = "Has_Capitals"
    environment  = "way-too-long-a-name"
  }

  expect_failures = [var.project_name, var.environment]
}

run "refuses_an_endpoint_with_a_path" {
  command = plan

  variables {
    aws_endpoint_url = "http://127.0.0.1:4566/"
  }

  expect_failures = [var.aws_endpoint_url]
}

run "refuses_unknown_auth_and_bad_addresses" {
  command = plan

  variables {
    api_auth    = "API_KEY"
    alarm_email = "nobody"
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.api_auth, var.alarm_email, var.kms_key_arn]
}
