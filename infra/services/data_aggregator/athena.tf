# Glue table over the bundles for Athena. Partition projection computes the hours, so no crawler is needed. The prefix
# of an hour contains only bundles; manifests have a separate prefix.

resource "aws_glue_catalog_database" "this" {
  count = var.create_glue_table ? 1 : 0

  name        = replace("${var.name_prefix}_aggregator", "-", "_")
  description = "Bundles of the data aggregator"
}

resource "aws_glue_catalog_table" "bundles" {
  count = var.create_glue_table ? 1 : 0

  name          = "bundles"
  database_name = aws_glue_catalog_database.this[0].name
  description   = "One row for each line of each source. hour is yyyy/MM/dd/HH (UTC), when its bundle was written."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                        = "TRUE"
    "projection.enabled"            = "true"
    "projection.hour.type"          = "date"
    "projection.hour.format"        = "yyyy/MM/dd/HH"
    "projection.hour.range"         = "${var.glue_first_hour},NOW"
    "projection.hour.interval"      = "1"
    "projection.hour.interval.unit" = "HOURS"
    "storage.location.template"     = "s3://${local.distribution_bucket_name}/$${hour}/"
  }

  partition_keys {
    name = "hour"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${local.distribution_bucket_name}/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
    compressed    = true

    columns {
      name = "line"
      type = "string"
    }

    # A field separator that does not occur in text keeps the line in one column.
    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
      parameters            = { "field.delim" = "\u0001" }
    }
  }
}
