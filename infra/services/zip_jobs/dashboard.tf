# Dashboard row of the service.

locals {
  dashboard = {
    title              = "ZIP jobs"
    functions          = [module.enqueue.name, module.status.name, module.worker.name, module.settler.name]
    queues             = [module.queue.name]
    dead_letter_queues = [module.queue.dlq_name]

    alarm_arns = concat(
      module.enqueue.alarm_arns,
      module.status.alarm_arns,
      module.worker.alarm_arns,
      module.settler.alarm_arns,
      module.queue.alarm_arns,
      module.api.alarm_arns,
      module.table.alarm_arns,
      values(module.alarms.arns),
    )

    widgets = [
      {
        title   = "Jobs"
        metrics = [for name in ["JobsReady", "JobsFailed", "JobsRetried"] : { namespace = local.metrics_namespace, name = name, dimensions = {} }]
      },
      {
        title   = "Bytes archived"
        metrics = [{ namespace = local.metrics_namespace, name = "BytesArchived", dimensions = {} }]
      },
      {
        title   = "API: requests, 4xx, 5xx"
        metrics = [for name in ["Count", "4xx", "5xx"] : { namespace = "AWS/ApiGateway", name = name, dimensions = { ApiId = module.api.id } }]
      },
      {
        title   = "API: latency of 95 % (ms)"
        stat    = "p95"
        metrics = [for name in ["Latency", "IntegrationLatency"] : { namespace = "AWS/ApiGateway", name = name, dimensions = { ApiId = module.api.id } }]
      },
      {
        title   = "Job table"
        metrics = [for name in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"] : { namespace = "AWS/DynamoDB", name = name, dimensions = { TableName = module.table.name } }]
      },
    ]
  }
}
