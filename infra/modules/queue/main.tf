# A queue, the dead-letter queue behind it, and the alarms that say when somebody has to look.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  queue_arn = format(
    "arn:%s:sqs:%s:%s:%s",
    data.aws_partition.current.partition,
    data.aws_region.current.name,
    data.aws_caller_identity.current.account_id,
    var.name,
  )

  queues = {
    queue        = { url = aws_sqs_queue.this.id, arn = aws_sqs_queue.this.arn }
    dead_letters = { url = aws_sqs_queue.dead_letters.id, arn = aws_sqs_queue.dead_letters.arn }
  }
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = var.retention_seconds
  receive_wait_time_seconds  = 20 # long polling: fewer empty, paid-for answers

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300

  tags = var.tags
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dlq"
  message_retention_seconds = var.dlq_retention_seconds

  # The queue's ARN from its name: each of the two queues names the other.
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arn]
  })

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300

  tags = var.tags
}

data "aws_iam_policy_document" "access" {
  for_each = local.queues

  source_policy_documents = each.key == "queue" ? var.policy_documents : []

  dynamic "statement" {
    for_each = var.require_tls ? [1] : []

    content {
      sid       = "DenyPlainHttp"
      effect    = "Deny"
      actions   = ["sqs:*"]
      resources = [each.value.arn]

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
}

resource "aws_sqs_queue_policy" "this" {
  for_each = {
    for name, queue in local.queues : name => queue
    if var.require_tls || (name == "queue" && length(var.policy_documents) > 0)
  }

  queue_url = each.value.url
  policy    = data.aws_iam_policy_document.access[each.key].json
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  count = var.alarms_enabled ? 1 : 0

  alarm_name          = "${var.name}-dlq-messages"
  alarm_description   = "${aws_sqs_queue.dead_letters.name} holds messages that no consumer could handle."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = var.dlq_alarm_periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  dimensions = {
    QueueName = aws_sqs_queue.dead_letters.name
  }
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  count = var.alarms_enabled ? 1 : 0

  alarm_name          = "${var.name}-oldest-message"
  alarm_description   = "A message has waited in ${aws_sqs_queue.this.name} for over ${var.oldest_message_alarm_seconds} s: consumers do not keep up, or fail."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_message_alarm_seconds
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  dimensions = {
    QueueName = aws_sqs_queue.this.name
  }
}
