# Dashboard row of the service.

locals {
  # Value of SERVICE_NAME in the function.
  metric_dimensions = { service = "data-aggregator" }

  dashboard = {
    title              = "Data aggregator"
    functions          = [module.function.name]
    queues             = [module.queue.name]
    dead_letter_queues = [module.queue.dlq_name]

    alarm_arns = concat(
      module.function.alarm_arns,
      module.queue.alarm_arns,
      module.table.alarm_arns,
      flatten(module.replication[*].alarm_arns),
      values(module.alarms.arns),
    )

    widgets = concat(
      [
        {
          title = "Sources and bundles"
          metrics = [
            for name in ["SourcesBundled", "BundlesWritten", "SourcesDuplicate", "SourcesBusy", "SourcesNotStarted"] :
            { namespace = "Sluice", name = name, dimensions = local.metric_dimensions }
          ]
        },
        {
          title = "Sources that were not bundled"
          metrics = [
            for name in ["SourcesFailed", "SourcesRefused", "MessagesRejected", "RecordsIgnored", "SourcesGone", "SourcesSuperseded"] :
            { namespace = "Sluice", name = name, dimensions = local.metric_dimensions }
          ]
        },
        {
          title   = "Bytes in and out"
          metrics = [for name in ["InputBytes", "BundleBytes"] : { namespace = "Sluice", name = name, dimensions = local.metric_dimensions }]
        },
        {
          title   = "Idempotency table"
          metrics = [for name in ["ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"] : { namespace = "AWS/DynamoDB", name = name, dimensions = { TableName = module.table.name } }]
        },
        {
          title          = "Objects in the distribution bucket"
          stat           = "Maximum"
          period_seconds = 86400
          metrics        = [{ namespace = "AWS/S3", name = "NumberOfObjects", dimensions = { BucketName = local.distribution_bucket_name, StorageType = "AllStorageTypes" } }]
        },
      ],
      [
        for dimensions in module.replication[*].metric_dimensions : {
          title   = "Copies: how late (s), how many wait, how many failed"
          stat    = "Maximum"
          metrics = [for name in ["ReplicationLatency", "OperationsPendingReplication", "OperationsFailedReplication"] : { namespace = "AWS/S3", name = name, dimensions = dimensions }]
        }
      ],
    )
  }
}
