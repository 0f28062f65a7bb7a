# One dashboard per deployment: the alarms first, then a row for each service.

data "aws_region" "current" {}

locals {
  columns = 24
  width   = 6
  height  = 6

  # A CloudWatch widget shows at most 100 alarms.
  alarm_widgets = [
    for arns in chunklist(flatten(var.services[*].alarm_arns), 100) :
    { title = "Alarms", arns = arns }
  ]
  alarm_height = 4

  # Widgets that every service has, from the names of its functions and queues.
  common = [
    for service in var.services : concat(
      [
        {
          title  = "Invocations, errors, throttles"
          stat   = "Sum"
          period = 300
          region = null
          metrics = [
            for pair in setproduct(["Invocations", "Errors", "Throttles"], service.functions) :
            { namespace = "AWS/Lambda", name = pair[0], dimensions = { FunctionName = pair[1] } }
          ]
        },
        {
          title  = "Longest duration (ms), invocations at once"
          stat   = "Maximum"
          period = 300
          region = null
          metrics = [
            for pair in setproduct(["Duration", "ConcurrentExecutions"], service.functions) :
            { namespace = "AWS/Lambda", name = pair[0], dimensions = { FunctionName = pair[1] } }
          ]
        },
      ],
      length(service.queues) == 0 ? [] : [
        {
          title  = "Messages waiting, at work; age of the oldest (s)"
          stat   = "Maximum"
          period = 300
          region = null
          metrics = [
            for pair in setproduct(["ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible", "ApproximateAgeOfOldestMessage"], service.queues) :
            { namespace = "AWS/SQS", name = pair[0], dimensions = { QueueName = pair[1] } }
          ]
        },
      ],
      length(service.dead_letter_queues) == 0 ? [] : [
        {
          title  = "Dead letters"
          stat   = "Maximum"
          period = 300
          region = null
          metrics = [
            for queue in service.dead_letter_queues :
            { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = queue } }
          ]
        },
      ],
      [
        for widget in service.widgets :
        { title = widget.title, stat = widget.stat, period = widget.period_seconds, region = widget.region, metrics = widget.metrics }
      ],
    )
  ]

  # Heights of the services' rows: one line for the title, and as many lines of widgets as necessary.
  heights = [for widgets in local.common : 1 + local.height * ceil(length(widgets) * local.width / local.columns)]
  tops = [
    for index in range(length(local.heights)) :
    local.alarm_height * length(local.alarm_widgets) + sum(concat([0], slice(local.heights, 0, index)))
  ]

  body = jsonencode({
    start = "-PT6H"
    widgets = concat(
      [
        for index, widget in local.alarm_widgets : {
          type       = "alarm"
          x          = 0
          y          = local.alarm_height * index
          width      = local.columns
          height     = local.alarm_height
          properties = { title = widget.title, alarms = widget.arns }
        }
      ],
      [
        for index, service in var.services : {
          type       = "text"
          x          = 0
          y          = local.tops[index]
          width      = local.columns
          height     = 1
          properties = { markdown = "## ${service.title}" }
        }
      ],
      flatten([
        for row, widgets in local.common : [
          for index, widget in widgets : {
            type   = "metric"
            x      = local.width * index % local.columns
            y      = local.tops[row] + 1 + local.height * floor(local.width * index / local.columns)
            width  = local.width
            height = local.height
            properties = {
              title   = widget.title
              view    = "timeSeries"
              stacked = false
              stat    = widget.stat
              period  = widget.period
              region  = coalesce(widget.region, data.aws_region.current.id)
              metrics = [
                for metric in widget.metrics :
                concat([metric.namespace, metric.name], flatten([for name, value in metric.dimensions : [name, value]]))
              ]
            }
          }
        ]
      ]),
    )
  })
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard_enabled ? 1 : 0

  dashboard_name = var.name
  dashboard_body = local.body
}
