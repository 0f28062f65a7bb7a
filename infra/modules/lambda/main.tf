# One function with its role, log group and alarms.

locals {
  log_group_name = "/aws/lambda/${var.name}"
}

# Created before the function: otherwise Lambda creates the group itself, without a retention limit, and the role needs
# logs:CreateLogGroup.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is a cost that each environment chooses
  name              = local.log_group_name
  retention_in_days = var.common.log_retention_days
  kms_key_id        = var.common.kms_key_arn
  tags              = var.common.tags
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Role of the function ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.common.permissions_boundary_arn
  tags                 = var.common.tags
}

data "aws_iam_policy_document" "runtime" {
  source_policy_documents = var.policy_documents

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.common.tracing_enabled ? [1] : []

    content {
      sid       = "SendTraces"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.common.vpc_config == null ? [] : [1]

    content {
      sid = "AttachToVpc"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      resources = ["*"]
    }
  }

  # Lambda uses this role to attach the function to the VPC. The function's code must not use these permissions.
  dynamic "statement" {
    for_each = var.common.vpc_config == null ? [] : [1]

    content {
      sid    = "DenyVpcToTheCode"
      effect = "Deny"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = [local.function_arn]
      }
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Built from the name, because the function depends on the policy that contains the ARN.
  function_arn = format(
    "arn:%s:lambda:%s:%s:function:%s",
    data.aws_partition.current.partition,
    data.aws_region.current.id,
    data.aws_caller_identity.current.account_id,
    var.name,
  )
}

resource "aws_iam_role_policy" "this" {
  name   = "function"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.runtime.json
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:Asynchronous failures go to the queue of var.async; by an API or an event source mapping a target is never used
  #checkov:skip=CKV_AWS_272:Signing needs a profile and a signing job of the account's own
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  handler                        = var.handler
  runtime                        = var.runtime
  architectures                  = [var.common.architecture]
  filename                       = var.package_path
  source_code_hash               = filebase64sha256(var.package_path)
  layers                         = compact(var.layer_arns)
  publish                        = var.publish_versions
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.common.kms_key_arn
  tags                           = var.common.tags

  environment {
    variables = var.environment_variables
  }

  ephemeral_storage {
    size = var.ephemeral_storage_mb
  }

  # Text, because the functions write JSON themselves and Lambda would wrap each line in JSON again.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.common.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.common.vpc_config == null ? [] : [var.common.vpc_config]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # Otherwise the first invocation may precede the role's permissions.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  count = var.async == null ? 0 : 1

  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = var.async.maximum_event_age_seconds
  maximum_retry_attempts       = var.async.maximum_retry_attempts

  # Receives events that failed after all retries, with their errors. The function's role must be allowed to send to it.
  dynamic "destination_config" {
    for_each = var.async.on_failure_queue_arn == null ? [] : [var.async.on_failure_queue_arn]

    content {
      on_failure {
        destination = destination_config.value
      }
    }
  }
}

resource "aws_lambda_function_recursion_config" "this" {
  count = var.recursive_loop == null ? 0 : 1

  function_name  = aws_lambda_function.this.function_name
  recursive_loop = var.recursive_loop
}

locals {
  duration_alarm_seconds = coalesce(var.duration_alarm_seconds, 0.9 * var.timeout_seconds)

  alarms = {
    errors = {
      metric_name = "Errors"
      statistic   = "Sum"
      threshold   = 0
      description = "${var.name} raised an error, ran out of memory or was cut off at its timeout. Runbook: function-errors"
    }
    throttles = {
      metric_name = "Throttles"
      statistic   = "Sum"
      threshold   = 0
      description = "${var.name} was throttled: its own or the account's concurrency is used up. Runbook: function-throttles"
    }
    duration = {
      metric_name = "Duration"
      statistic   = "Maximum"
      threshold   = 1000 * local.duration_alarm_seconds
      description = "${var.name} ran for over ${local.duration_alarm_seconds} of its ${var.timeout_seconds} s: soon it is cut off. Runbook: function-duration"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.common.alarms_enabled && !var.common.essential_alarms_only ? local.alarms : {}

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric_name
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.common.alarm_topic_arns
  ok_actions          = var.common.alarm_topic_arns
  tags                = var.common.tags

  dimensions = {
    FunctionName = aws_lambda_function.this.function_name
  }
}
