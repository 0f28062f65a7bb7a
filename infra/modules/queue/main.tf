# A queue, its dead-letter queue, and alarms on both.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Built from the name, because each of the two queues refers to the other, and the policy to the queue.
  queue_arn = format(
    "arn:%s:sqs:%s:%s:%s",
    data.aws_partition.current.partition,
    data.aws_region.current.id,
    data.aws_caller_identity.current.account_id,
    var.name,
  )
}

data "aws_iam_policy_document" "access" {
  source_policy_documents = var.policy_documents

  dynamic "statement" {
    for_each = var.common.require_tls ? [1] : []

    content {
      sid       = "DenyPlainHttp"
      effect    = "Deny"
      actions   = ["sqs:*"]
      resources = [local.queue_arn]

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

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = var.retention_seconds
  receive_wait_time_seconds  = 20 # long polling: fewer empty responses to pay for

  # Not a separate resource, for which the provider would wait another half a minute.
  policy = var.common.require_tls || length(var.policy_documents) > 0 ? data.aws_iam_policy_document.access.json : null

  sqs_managed_sse_enabled           = var.common.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.common.kms_key_arn
  kms_data_key_reuse_period_seconds = var.common.kms_key_arn == null ? null : 300

  tags = var.common.tags
}

# A separate resource, so that both queues are created at the same time: the provider waits half a minute for each. SQS
# counts receives from the first, even if the redrive policy comes later.
resource "aws_sqs_queue_redrive_policy" "this" {
  queue_url = aws_sqs_queue.this.id

  redrive_policy = jsonencode({
    deadLetterTargetArn = module.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

module "dead_letters" {
  source = "../dead_letter_queue"

  name              = "${var.name}-dlq"
  source_queue_arns = [local.queue_arn]
  retention_seconds = var.dlq_retention_seconds
  alarm_periods     = var.dlq_alarm_periods
  common            = var.common
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  count = var.common.alarms_enabled && !var.common.essential_alarms_only ? 1 : 0

  alarm_name          = "${var.name}-oldest-message"
  alarm_description   = "A message has waited in ${aws_sqs_queue.this.name} for over ${var.oldest_message_alarm_seconds} s: consumers do not keep up, or fail. Runbook: oldest-message"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_message_alarm_seconds
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.common.alarm_topic_arns
  ok_actions          = var.common.alarm_topic_arns
  tags                = var.common.tags

  dimensions = {
    QueueName = aws_sqs_queue.this.name
  }
}
