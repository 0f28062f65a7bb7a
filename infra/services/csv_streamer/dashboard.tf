# Dashboard row of the service.

locals {
  metric_dimensions = { service = "csv_streamer", function_name = local.function_name }

  dashboard = {
    title              = "CSV streamer"
    functions          = [module.function.name]
    dead_letter_queues = [module.failures.name]
    alarm_arns         = concat(module.function.alarm_arns, module.failures.alarm_arns, values(module.alarms.arns))

    widgets = [
      {
        title   = "Files"
        metrics = [for name in ["FilesSucceeded", "FilesUnchanged", "FilesDeferred", "FilesFailed", "RunsFailed"] : { namespace = "Sluice", name = name, dimensions = local.metric_dimensions }]
      },
      {
        title   = "Bytes streamed"
        metrics = [{ namespace = "Sluice", name = "BytesStreamed", dimensions = local.metric_dimensions }]
      },
    ]
  }
}
