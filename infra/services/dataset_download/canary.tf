# Canary deployment: a new version receives a tenth of the requests for five minutes, then all of them unless the error
# alarm fires. Terraform publishes the version. CodeDeploy, started by `aws deploy create-deployment`, moves the alias.

locals {
  alias_name = one(aws_lambda_alias.live[*].name)
}

resource "aws_lambda_alias" "live" {
  count = var.canary ? 1 : 0

  name             = "live"
  description      = "What the URL invokes"
  function_name    = module.download.name
  function_version = module.download.version

  # CodeDeploy manages both from the first deployment on.
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}

resource "aws_codedeploy_app" "this" {
  count = var.canary ? 1 : 0

  name             = local.function_name
  compute_platform = "Lambda"
  tags             = var.common.tags
}

resource "aws_codedeploy_deployment_group" "this" {
  count = var.canary ? 1 : 0

  app_name               = aws_codedeploy_app.this[0].name
  deployment_group_name  = "live"
  deployment_config_name = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
  service_role_arn       = aws_iam_role.codedeploy[0].arn
  tags                   = var.common.tags

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
  }

  alarm_configuration {
    enabled = local.all_alarms
    alarms  = aws_cloudwatch_metric_alarm.error_rate[*].alarm_name
  }
}

data "aws_iam_policy_document" "codedeploy_trust" {
  count = var.canary ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type = "Service"
      # In China the principal's name includes the region and the partition's domain.
      identifiers = [data.aws_partition.current.partition == "aws-cn" ? "codedeploy.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}" : "codedeploy.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "codedeploy" {
  count = var.canary ? 1 : 0

  name                 = "${local.function_name}-deploy"
  description          = "Moves the alias of ${local.function_name} to a new version"
  assume_role_policy   = data.aws_iam_policy_document.codedeploy_trust[0].json
  permissions_boundary = var.common.permissions_boundary_arn
  tags                 = var.common.tags
}

data "aws_iam_policy_document" "codedeploy" {
  count = var.canary ? 1 : 0

  statement {
    sid       = "MoveAlias"
    actions   = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
    resources = [module.download.arn, "${module.download.arn}:*"]
  }

  # All alarms of the account, because DescribeAlarms is a list operation.
  statement {
    sid     = "LookAtAlarms"
    actions = ["cloudwatch:DescribeAlarms"]
    resources = [format(
      "arn:%s:cloudwatch:%s:%s:alarm:*",
      data.aws_partition.current.partition,
      data.aws_region.current.id,
      data.aws_caller_identity.current.account_id,
    )]
  }
}

resource "aws_iam_role_policy" "codedeploy" {
  count = var.canary ? 1 : 0

  name   = "deploy"
  role   = aws_iam_role.codedeploy[0].id
  policy = data.aws_iam_policy_document.codedeploy[0].json
}
