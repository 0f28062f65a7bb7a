# Alarms on metrics that no other module covers: the functions' own metrics, and those of surrounding services.

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.common.alarms_enabled && !var.common.essential_alarms_only ? var.alarms : {}

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = "${each.value.description} Runbook: ${each.value.runbook}"
  namespace           = each.value.expression == null ? each.value.namespace : null
  metric_name         = each.value.metric_name
  dimensions          = each.value.expression == null ? each.value.dimensions : null
  statistic           = each.value.expression == null ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = each.value.expression == null ? each.value.period_seconds : null
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.common.alarm_topic_arns
  ok_actions          = var.common.alarm_topic_arns
  tags                = var.common.tags

  dynamic "metric_query" {
    for_each = each.value.expression[*] # none, or one over several metrics

    content {
      id          = "result"
      label       = each.key
      expression  = metric_query.value
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        stat        = each.value.statistic
        period      = each.value.period_seconds
      }
    }
  }
}
