# SNS topic for the alarms, created if alarm_email is set.

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {
  # A throttled receive counts towards max_receive_count: messages would reach the dead-letter queue unprocessed.
  lifecycle {
    precondition {
      condition     = local.event_source_concurrency <= 0.8 * var.account_concurrency
      error_message = "The event sources' maximum_concurrency add up to ${local.event_source_concurrency}, more than four fifths of account_concurrency (${var.account_concurrency}): the rest is for APIs, downloads and schedules. Lower them, or raise the account's limit in Service Quotas and declare it in account_concurrency; scripts/account_limits.py prints it."
    }
  }
}

resource "aws_sns_topic" "alarms" {
  count = var.alarms_enabled && var.alarm_email != null ? 1 : 0

  name              = "${local.name_prefix}-alarms"
  kms_master_key_id = var.kms_key_arn # an alarm cannot publish with the AWS managed key for SNS
}

data "aws_iam_policy_document" "alarms" {
  count = length(aws_sns_topic.alarms)

  statement {
    sid       = "PublishAlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms[0].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.current.partition}:cloudwatch:${var.aws_region}:${data.aws_caller_identity.current.account_id}:alarm:${local.name_prefix}-*"]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  count = length(aws_sns_topic.alarms)

  arn    = aws_sns_topic.alarms[0].arn
  policy = data.aws_iam_policy_document.alarms[0].json
}

resource "aws_sns_topic_subscription" "alarms" {
  count = length(aws_sns_topic.alarms)

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
