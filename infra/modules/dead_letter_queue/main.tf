# A queue without a regular consumer. It receives messages that could not be processed, and an alarm reports them.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Built from the name, because the policy, which contains the ARN, is part of the queue.
  arn = format(
    "arn:%s:sqs:%s:%s:%s",
    data.aws_partition.current.partition,
    data.aws_region.current.id,
    data.aws_caller_identity.current.account_id,
    var.name,
  )
}

data "aws_iam_policy_document" "tls" {
  count = var.common.require_tls ? 1 : 0

  statement {
    sid       = "DenyPlainHttp"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [local.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue" "this" {
  name                      = var.name
  message_retention_seconds = var.retention_seconds
  policy                    = var.common.require_tls ? data.aws_iam_policy_document.tls[0].json : null

  # Without source queues it is filled by other means, and no queue may redrive to it.
  redrive_allow_policy = jsonencode(merge(
    { redrivePermission = length(var.source_queue_arns) == 0 ? "denyAll" : "byQueue" },
    length(var.source_queue_arns) == 0 ? {} : { sourceQueueArns = var.source_queue_arns },
  ))

  sqs_managed_sse_enabled           = var.common.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.common.kms_key_arn
  kms_data_key_reuse_period_seconds = var.common.kms_key_arn == null ? null : 300

  tags = var.common.tags
}

resource "aws_cloudwatch_metric_alarm" "messages" {
  count = var.common.alarms_enabled ? 1 : 0

  alarm_name          = "${var.name}-messages"
  alarm_description   = coalesce(var.alarm_description, "${var.name} holds messages that no consumer could handle. Runbook: dead-letters")
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = var.alarm_periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.common.alarm_topic_arns
  ok_actions          = var.common.alarm_topic_arns
  tags                = var.common.tags

  dimensions = {
    QueueName = aws_sqs_queue.this.name
  }
}
