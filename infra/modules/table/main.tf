# An on-demand DynamoDB table with point-in-time recovery.

resource "aws_dynamodb_table" "this" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = var.hash_key
  range_key                   = var.range_key
  deletion_protection_enabled = var.common.deletion_protection

  dynamic "attribute" {
    for_each = var.attributes

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.indexes

    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.hash_key
      range_key       = global_secondary_index.value.range_key
      projection_type = "ALL"
    }
  }

  dynamic "ttl" {
    for_each = var.ttl_attribute == null ? [] : [var.ttl_attribute]

    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  # Without this block DynamoDB encrypts with a key that it owns.
  dynamic "server_side_encryption" {
    for_each = var.common.kms_key_arn == null ? [] : [var.common.kms_key_arn]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  tags = var.common.tags
}

# An on-demand table scales in steps: clients retry short throttling. Lasting throttling means a table at its quota, or
# a hot key.
module "alarms" {
  source = "../alarms"

  name_prefix = var.name
  common      = var.common

  alarms = {
    throttles = {
      description = "DynamoDB has throttled requests to the table ${var.name} for 15 minutes."
      runbook     = "table-throttles"
      namespace   = "AWS/DynamoDB"
      expression  = "FILL(reads, 0) + FILL(writes, 0)"
      metrics     = { reads = "ReadThrottleEvents", writes = "WriteThrottleEvents" }
      dimensions  = { TableName = aws_dynamodb_table.this.name }
      statistic   = "Sum"
      threshold   = 0
      periods     = 3
    }
  }
}
