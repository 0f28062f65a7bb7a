# Dashboard row of the service.

locals {
  functions      = concat([module.download.name], module.export[*].name)
  url_dimensions = merge({ FunctionName = module.download.name }, var.canary ? { Resource = "${module.download.name}:live" } : {})

  dashboard = {
    title              = "Dataset download"
    functions          = local.functions
    dead_letter_queues = module.failures[*].name

    alarm_arns = flatten([
      module.download.alarm_arns,
      module.export[*].alarm_arns,
      module.failures[*].alarm_arns,
      module.cdn[*].alarm_arns,
      aws_cloudwatch_metric_alarm.error_rate[*].arn,
      values(module.alarms.arns),
    ])

    widgets = concat(
      [
        for title, names in {
          "Downloads and exports" = ["Downloads", "DownloadsFailed", "ExportsMade", "ExportsFailed"]
          "Rows sent"             = ["RowsSent"]
          "Bytes sent"            = ["BytesSent"]
        } :
        {
          title  = title
          stat   = "Sum"
          region = null
          metrics = [
            for pair in setproduct(names, local.functions) :
            { namespace = "Sluice", name = pair[0], dimensions = { service = "dataset_download", function_name = pair[1] } }
            if startswith(pair[0], "Exports") || pair[1] == module.download.name
          ]
        }
      ],
      [
        {
          title   = "Function URL: requests, 4xx, 5xx"
          stat    = "Sum"
          region  = null
          metrics = [for name in ["UrlRequestCount", "Url4xxCount", "Url5xxCount"] : { namespace = "AWS/Lambda", name = name, dimensions = local.url_dimensions }]
        },
        {
          title   = "Function URL: latency of 95 % (ms)"
          stat    = "p95"
          region  = null
          metrics = [{ namespace = "AWS/Lambda", name = "UrlRequestLatency", dimensions = local.url_dimensions }]
        },
      ],
      [
        for widget in [
          { title = "CloudFront: requests", stat = "Sum", names = ["Requests"] },
          { title = "CloudFront: 4xx and 5xx (%)", stat = "Average", names = ["4xxErrorRate", "5xxErrorRate"] },
        ] :
        {
          title   = widget.title
          stat    = widget.stat
          region  = "us-east-1"
          metrics = [for name in widget.names : { namespace = "AWS/CloudFront", name = name, dimensions = { DistributionId = module.cdn[0].id, Region = "Global" } }]
        }
        if var.cdn.enabled
      ],
    )
  }
}
