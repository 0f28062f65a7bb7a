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

run "names_are_the_projects_addresses_the_emulators_and_alarms_are_mailed" {
  variables {
    project_name     = "acme"
    aws_endpoint_url = "http://127.0.0.1:4567"
    alarm_email      = "on-call@example.com"
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

  assert {
    condition     = length(aws_sns_topic.alarms) == 1 && aws_sns_topic_subscription.alarms[0].endpoint == "on-call@example.com"
    error_message = "alarm_email made no topic with a subscription."
  }

  assert {
    condition     = local.alarm_topic_arns == ["arn:aws:sns:eu-west-1:111122223333:mocked"]
    error_message = "The alarms are not published to the topic."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.alarms[0].statement :
      toset([for condition in statement.condition : condition.variable]) == toset(["aws:SourceAccount", "aws:SourceArn"])
    ])
    error_message = "Publishing to the topic is not bound to this account's alarms."
  }
}

run "settings_reach_their_services_and_existing_bucket_and_topic_are_used" {
  variables {
    csv_streamer         = { create_bucket = false, bucket_name = "acme-lake" }
    data_aggregator      = { create_source_bucket = false, source_bucket_name = "acme-events", replication_enabled = false }
    clickhouse_url       = "https://clickhouse.example.com:8443"
    xapi_etl             = { source_prefix = "lrs/", clickhouse = { database = "learning" } }
    dataset_download     = { prefix = "public", cdn = { enabled = true }, canary = true }
    artifact_bucket_name = "acme-artifacts"
    alarm_topic_arn      = "arn:aws:sns:eu-west-1:111122223333:on-call"
  }

  assert {
    condition     = output.csv_bucket == "acme-lake" && output.aggregator_source_bucket == "acme-events" && output.archive_bucket == ""
    error_message = "A setting is lost on its way to the service."
  }

  assert {
    condition     = [output.xapi_etl_function, output.xapi_prefix, output.clickhouse_url, output.clickhouse_database, output.clickhouse_table] == ["sluice-test-xapi-etl", "lrs/", "https://clickhouse.example.com:8443", "learning", "statements"]
    error_message = "A setting of the xAPI ETL is lost on its way."
  }

  assert {
    condition     = output.dataset_prefix == "public/" && output.distribution_domain == "mocked.cloudfront.net" && output.dataset_deployment.applicationName == "sluice-test-dataset-download"
    error_message = "A setting of the dataset download is lost on its way."
  }

  assert {
    condition     = length(module.artifact_bucket) == 0 && local.artifact_bucket.name == "acme-artifacts"
    error_message = "A bucket for layers is made although there is one."
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && local.alarm_topic_arns == ["arn:aws:sns:eu-west-1:111122223333:on-call"]
    error_message = "The existing topic is not the only one used."
  }
}

run "defaults_point_at_aws_with_a_private_streaming_download_and_no_etl" {
  assert {
    condition     = output.api_base == "https://mocked.execute-api.eu-west-1.amazonaws.com"
    error_message = "api_base is not the API's own address."
  }

  assert {
    condition     = output.aws_endpoint_url == "" && output.aws_region == "eu-west-1"
    error_message = "aws_endpoint_url must be empty in AWS, and the region that of the deployment."
  }

  assert {
    condition     = output.dataset_url == "https://mockedurl.lambda-url.eu-west-1.on.aws" && output.dataset_stream_url == "" && output.dataset_prefix == ""
    error_message = "dataset_url is not the Function URL without its last slash, or AWS has a streaming server of its own."
  }

  assert {
    condition     = [output.dataset_download_function, output.dataset_export_function] == ["sluice-test-dataset-download", "sluice-test-dataset-export"]
    error_message = "Functions are not named <project>-<environment>-<thing>."
  }

  assert {
    condition     = length(module.xapi_etl) == 0 && output.xapi_bucket == "" && output.clickhouse_url == ""
    error_message = "The xAPI ETL is deployed without a place for its rows."
  }
}

run "services_and_alarms_off_make_nothing_and_leave_outputs_empty" {
  variables {
    enable_zip_jobs         = false
    enable_csv_streamer     = false
    enable_data_aggregator  = false
    enable_xapi_etl         = false
    clickhouse_url          = "https://clickhouse.example.com:8443"
    enable_dataset_download = false
    dataset_stream_url      = "http://127.0.0.1:4569"
    alarm_email             = "on-call@example.com"
    alarms_enabled          = false
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

  assert {
    condition     = length(aws_sns_topic.alarms) == 0
    error_message = "A topic is made although alarms are off."
  }
}

run "refuses_unusable_names_addresses_and_auth" {
  command = plan

  variables {
    project_name     = "Has_Capitals"
    environment      = "way-too-long-a-name"
    aws_endpoint_url = "http://127.0.0.1:4566/"
    api_auth         = "API_KEY"
    alarm_email      = "nobody"
    kms_key_arn      = "alias/mine"
  }

  expect_failures = [var.project_name, var.environment, var.aws_endpoint_url, var.api_auth, var.alarm_email, var.kms_key_arn]
}
