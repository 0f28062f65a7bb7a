# Alarms in addition to those of the functions: errors as callers see them, and the functions' own metrics.

resource "aws_cloudwatch_metric_alarm" "error_rate" {
  count = local.all_alarms ? 1 : 0

  alarm_name          = "${local.function_name}-error-rate"
  alarm_description   = "Over ${var.error_rate_alarm_percent} % of the requests to ${local.function_name} were answered with a 5xx. Runbook: url-5xx"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.error_rate_alarm_percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.common.alarm_topic_arns
  ok_actions          = var.common.alarm_topic_arns
  tags                = var.common.tags

  metric_query {
    id          = "rate"
    label       = "5xx in percent of the requests"
    expression  = "100 * errors / requests"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { errors = "Url5xxCount", requests = "UrlRequestCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/Lambda"
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 300
        dimensions  = local.url_dimensions
      }
    }
  }
}

module "alarms" {
  source = "../../modules/alarms"

  name_prefix = local.function_name
  common      = var.common

  alarms = {
    downloads-failed = {
      description = "A download of ${local.function_name} broke off after it had begun."
      runbook     = "downloads-failed"
      namespace   = "Sluice"
      metric_name = "DownloadsFailed"
      dimensions  = { service = "dataset_download", function_name = local.function_name }
      statistic   = "Sum"
      threshold   = 0
    }

    exports-failed = {
      description = "${local.export_function_name} could not write an export."
      runbook     = "exports-failed"
      namespace   = "Sluice"
      metric_name = "ExportsFailed"
      dimensions  = { service = "dataset_download", function_name = local.export_function_name }
      statistic   = "Sum"
      threshold   = 0
    }
  }
}
