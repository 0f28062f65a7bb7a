# Dashboard row of the service. Each partition has its own metrics.

locals {
  dashboard = {
    title              = "xAPI ETL"
    functions          = values(module.function)[*].name
    queues             = values(module.queue)[*].name
    dead_letter_queues = values(module.queue)[*].dlq_name

    alarm_arns = flatten([
      values(module.function)[*].alarm_arns,
      values(module.queue)[*].alarm_arns,
      [for alarms in values(module.alarms) : values(alarms.arns)],
    ])

    widgets = [
      for title, names in {
        "Objects"                 = ["ObjectsLoaded", "ObjectsDuplicate", "ObjectsEmpty", "ObjectsFailed", "ObjectsNotStarted"]
        "Rows and lines"          = ["RowsInserted", "RowsRepeated", "RowsAlreadyPresent", "LinesRead", "BadLines", "DroppedKeys"]
        "Bad lines by reason"     = ["BadLinesNotJson", "BadLinesNotAStatement", "BadLinesWrongType", "BadLinesMissingValue", "BadLinesTooLong"]
        "Inserts"                 = ["Inserts", "InsertsFailed"]
        "Messages"                = ["MessagesFailed", "MessagesDeadLettered", "RecordsIgnored"]
        "Bytes in and as Parquet" = ["InputBytes", "ParquetBytes"]
      } :
      {
        title = title
        metrics = [
          for pair in setproduct(names, values(module.function)[*].name) :
          { namespace = "Sluice", name = pair[0], dimensions = { service = "xapi_etl", function_name = pair[1] } }
        ]
      }
    ]
  }
}
