# Names and packages

variable "name_prefix" {
  description = "What all names begin with, like project-environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,25}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix has 2 to 27 lower-case letters, digits and hyphens and starts with a letter: names of buckets are made from it."
  }
}

variable "lambda_zip_dir" {
  description = "Folder that holds data_aggregator.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder that holds powertools.zip, isal.zip, zstd.zip and tracer.zip."
  type        = string
}

# Buckets

variable "create_source_bucket" {
  description = "Make the source bucket; false to use the existing source_bucket_name."
  type        = bool
  default     = true
}

variable "source_bucket_name" {
  description = "Bucket whose new objects are bundled; null generates a name. Needed where create_source_bucket is false."
  type        = string
  default     = null
}

variable "create_source_notification" {
  description = "Set the source bucket's notification, the one configuration that a bucket has. False for a bucket that has one elsewhere: queue_arn belongs in it then."
  type        = bool
  default     = true
}

variable "source_prefix" {
  description = "Key prefix of the objects that are bundled; null for all."
  type        = string
  default     = null
}

variable "source_suffix" {
  description = "End of the keys of the objects that are bundled, like .json; null for all."
  type        = string
  default     = null
}

variable "create_distribution_bucket" {
  description = "Make the distribution bucket; false to use the existing distribution_bucket_name, which must be versioned if it is replicated."
  type        = bool
  default     = true
}

variable "distribution_bucket_name" {
  description = "Bucket that the bundles are written to; null generates a name. Needed where create_distribution_bucket is false."
  type        = string
  default     = null
}

variable "replication_enabled" {
  description = "Have S3 copy the bundles to the archive bucket. It sets the distribution bucket's replication, the one configuration that a bucket has."
  type        = bool
  default     = true
}

variable "create_archive_bucket" {
  description = "Make the archive bucket; false to use the existing archive_bucket_name, which must be versioned."
  type        = bool
  default     = true
}

variable "archive_bucket_name" {
  description = "Bucket that the bundles are copied to; null generates a name. Needed where create_archive_bucket is false."
  type        = string
  default     = null
}

variable "archive_storage_class" {
  description = "Where archived bundles end: GLACIER_IR (read at once), GLACIER (in hours) or DEEP_ARCHIVE (in half a day)."
  type        = string
  default     = "GLACIER"

  validation {
    condition     = contains(["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], var.archive_storage_class)
    error_message = "archive_storage_class is GLACIER_IR, GLACIER or DEEP_ARCHIVE."
  }
}

variable "archive_transition_days" {
  description = "Days after which archived bundles go there."
  type        = number
  default     = 30

  validation {
    condition     = var.archive_transition_days >= 0 && floor(var.archive_transition_days) == var.archive_transition_days
    error_message = "archive_transition_days is a whole number of at least 0."
  }
}

variable "archive_object_lock" {
  description = "Retention of archived bundles in days: GOVERNANCE (some may lift it) or COMPLIANCE (nobody may, nor delete the bucket); null for none. It cannot be taken off again."
  type = object({
    mode = string
    days = number
  })
  default = null
}

variable "create_glue_table" {
  description = "Make a Glue table over the bundles, so that Athena reads them."
  type        = bool
  default     = false
}

variable "glue_first_hour" {
  description = "First hour of the Glue table, as yyyy/MM/dd/HH. Athena looks in each hour since then, unless a query bounds it."
  type        = string
  default     = "2025/01/01/00"

  validation {
    condition     = can(regex("^[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2}$", var.glue_first_hour))
    error_message = "glue_first_hour looks like 2025/01/01/00."
  }
}

# Events

variable "queue_retention_seconds" {
  description = "Seconds that an event waits to be bundled before it is lost."
  type        = number
  default     = 345600
}

variable "dlq_retention_seconds" {
  description = "Seconds that the dead-letter queue keeps an event, counted from when it was first sent."
  type        = number
  default     = 1209600
}

variable "max_receive_count" {
  description = "Tries that an event has."
  type        = number
  default     = 5
}

variable "idempotency_ttl_days" {
  description = "Days that a bundled source is remembered: longer than both queues keep an event."
  type        = number
  default     = 21

  validation {
    condition     = var.idempotency_ttl_days >= 1 && floor(var.idempotency_ttl_days) == var.idempotency_ttl_days
    error_message = "idempotency_ttl_days is a whole number of at least 1."
  }
}

variable "aggregator" {
  description = "The function's size, its batches, how many run at once, and how each reads and writes. Sizes and limits are those of lambdas/data_aggregator/README.md."
  type = object({
    memory_mb               = optional(number, 1024)
    ephemeral_storage_mb    = optional(number, 1024)
    timeout_seconds         = optional(number, 300)
    batch_size              = optional(number, 1000)
    batching_window_seconds = optional(number, 10)
    maximum_concurrency     = optional(number, 2)
    reserved_concurrency    = optional(number, -1)
    max_bundle_input_mb     = optional(number, 100)
    gzip_level              = optional(number, 1)
    read_concurrency        = optional(number, 32)
    read_ahead_mb           = optional(number, 32)
    stop_before_seconds     = optional(number, 30)
    claim_grace_seconds     = optional(number, 30)
    disk_reserve_mb         = optional(number, 64)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.aggregator.maximum_concurrency >= 2 && var.aggregator.maximum_concurrency <= 1000
    error_message = "aggregator.maximum_concurrency is between 2 and 1000, as AWS demands of an event source mapping."
  }

  validation {
    condition     = var.aggregator.batch_size >= 1 && var.aggregator.batch_size <= 10000
    error_message = "aggregator.batch_size is between 1 and 10000."
  }

  validation {
    condition     = var.aggregator.batching_window_seconds >= 0 && var.aggregator.batching_window_seconds <= 300
    error_message = "aggregator.batching_window_seconds is between 0 and 300."
  }

  validation {
    condition     = var.aggregator.batch_size <= 10 || var.aggregator.batching_window_seconds >= 1
    error_message = "aggregator.batch_size above 10 needs a batching_window_seconds of at least 1, as AWS demands."
  }

  # 70 MB of Python and libraries, the spool, parts on their way, what is held, 20,000 objects of 2 KB, and the windows of a
  # Zstandard or xz object are 320 MB beside what is read ahead; 85 % of the memory holds them.
  validation {
    condition     = 0.85 * var.aggregator.memory_mb >= 320 + var.aggregator.read_ahead_mb
    error_message = "aggregator.memory_mb is at least (320 + read_ahead_mb) / 0.85, so that no object can take more than there is: 415 with the default read_ahead_mb of 32."
  }

  validation {
    condition     = contains([0, 1, 2, 3], var.aggregator.gzip_level)
    error_message = "aggregator.gzip_level is 0 (the fastest), 1, 2 or 3."
  }

  validation {
    condition     = alltrue([for number in [var.aggregator.max_bundle_input_mb, var.aggregator.read_concurrency, var.aggregator.read_ahead_mb, var.aggregator.claim_grace_seconds] : number >= 1])
    error_message = "aggregator.max_bundle_input_mb, read_concurrency, read_ahead_mb and claim_grace_seconds are at least 1."
  }

  validation {
    condition     = var.aggregator.disk_reserve_mb >= 0 && var.aggregator.disk_reserve_mb < var.aggregator.ephemeral_storage_mb
    error_message = "aggregator.disk_reserve_mb is below aggregator.ephemeral_storage_mb: else no bundle would ever have room."
  }

  validation {
    condition     = var.aggregator.stop_before_seconds >= 1 && var.aggregator.stop_before_seconds < var.aggregator.timeout_seconds
    error_message = "aggregator.stop_before_seconds is at least 1 and below aggregator.timeout_seconds: else no source would ever be taken."
  }
}

# Security and operations

variable "common" {
  description = "Settings that all services have alike; infra/README.md describes each under One service alone. kms_key_arn also encrypts the copies in the archive. In a VPC the function needs endpoints for S3, DynamoDB and SQS, or a NAT gateway."
  type = object({
    tags                     = optional(map(string), {})
    architecture             = optional(string, "x86_64")
    force_destroy            = optional(bool, false)
    abort_upload_after_days  = optional(number, 2)
    deletion_protection      = optional(bool, false)
    kms_key_arn              = optional(string)
    permissions_boundary_arn = optional(string)
    require_tls              = optional(bool, true)
    tracing_enabled          = optional(bool, false)
    log_level                = optional(string, "INFO")
    log_retention_days       = optional(number, 14)
    alarms_enabled           = optional(bool, true)
    essential_alarms_only    = optional(bool, false)
    alarm_topic_arns         = optional(list(string), [])
    queries_enabled          = optional(bool, true)
    vpc_config = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.common.log_level)
    error_message = "log_level is DEBUG, INFO, WARNING or ERROR."
  }
}

variable "bucket_kms_key_arns" {
  description = "KMS keys of existing buckets."
  type        = list(string)
  default     = []
}

variable "oldest_message_alarm_seconds" {
  description = "Age of the oldest event in the queue, in seconds, above which the alarm fires."
  type        = number
  default     = 900
}

variable "replication_latency_alarm_seconds" {
  description = "Seconds by which a bundle's copy may be late before the alarm fires."
  type        = number
  default     = 900
}

variable "distribution_objects_alarm" {
  description = "Number of objects in the distribution bucket above which the alarm fires."
  type        = number
  default     = 100000
}
