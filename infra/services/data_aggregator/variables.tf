# Names and packages

variable "name_prefix" {
  description = "Prefix of all names, such as project-environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,25}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must have 2 to 27 lower-case letters, digits and hyphens and start with a letter: it is part of bucket names."
  }
}

variable "lambda_zip_dir" {
  description = "Folder with data_aggregator.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder with powertools.zip, isal.zip, zstd.zip and tracer.zip."
  type        = string
}

# Buckets

variable "create_source_bucket" {
  description = "Create the source bucket; false to use the existing source_bucket_name."
  type        = bool
  default     = true
}

variable "source_bucket_name" {
  description = "Bucket whose new objects are bundled; null generates a name. Required if create_source_bucket is false."
  type        = string
  default     = null
}

variable "create_source_notification" {
  description = "Configure the source bucket's notification; a bucket has only one such configuration. False if it is configured elsewhere, which must then include queue_arn."
  type        = bool
  default     = true
}

variable "source_prefix" {
  description = "Key prefix of the objects to bundle; null for all."
  type        = string
  default     = null
}

variable "source_suffix" {
  description = "Key suffix of the objects to bundle, such as .json; null for all."
  type        = string
  default     = null
}

variable "create_distribution_bucket" {
  description = "Create the distribution bucket; false to use the existing distribution_bucket_name, which must be versioned if it is replicated."
  type        = bool
  default     = true
}

variable "distribution_bucket_name" {
  description = "Bucket of the bundles; null generates a name. Required if create_distribution_bucket is false."
  type        = string
  default     = null
}

variable "replication_enabled" {
  description = "Replicate the bundles to the archive bucket. This sets the replication of the distribution bucket; a bucket has only one such configuration."
  type        = bool
  default     = true
}

variable "create_archive_bucket" {
  description = "Create the archive bucket; false to use the existing archive_bucket_name, which must be versioned."
  type        = bool
  default     = true
}

variable "archive_bucket_name" {
  description = "Bucket that the bundles are replicated to; null generates a name. Required if create_archive_bucket is false."
  type        = string
  default     = null
}

variable "archive_storage_class" {
  description = "Storage class of archived bundles: GLACIER_IR (immediate access), GLACIER (within hours) or DEEP_ARCHIVE (within 12 hours)."
  type        = string
  default     = "GLACIER"

  validation {
    condition     = contains(["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], var.archive_storage_class)
    error_message = "archive_storage_class must be GLACIER_IR, GLACIER or DEEP_ARCHIVE."
  }
}

variable "archive_transition_days" {
  description = "Days after which archived bundles move to archive_storage_class."
  type        = number
  default     = 30

  validation {
    condition     = var.archive_transition_days >= 0 && floor(var.archive_transition_days) == var.archive_transition_days
    error_message = "archive_transition_days must be a whole number of at least 0."
  }
}

variable "archive_object_lock" {
  description = "Object lock retention of archived bundles in days: GOVERNANCE (privileged users may lift it) or COMPLIANCE (nobody may, nor delete the bucket); null for none. It cannot be removed."
  type = object({
    mode = string
    days = number
  })
  default = null
}

variable "create_glue_table" {
  description = "Create a Glue table over the bundles for Athena."
  type        = bool
  default     = false
}

variable "glue_first_hour" {
  description = "First hour of the Glue table, as yyyy/MM/dd/HH. Athena scans every hour since then, unless a query restricts it."
  type        = string
  default     = "2025/01/01/00"

  validation {
    condition     = can(regex("^[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2}$", var.glue_first_hour))
    error_message = "glue_first_hour must have the form yyyy/MM/dd/HH, such as 2025/01/01/00."
  }
}

# Events

variable "queue_retention_seconds" {
  description = "Seconds that an event may wait in the queue before it is lost."
  type        = number
  default     = 345600
}

variable "dlq_retention_seconds" {
  description = "Seconds that the dead-letter queue keeps an event, counted from its first send."
  type        = number
  default     = 1209600
}

variable "max_receive_count" {
  description = "Attempts per event."
  type        = number
  default     = 5
}

variable "idempotency_ttl_days" {
  description = "Days that the record of a bundled source is kept: longer than both queues keep an event."
  type        = number
  default     = 21

  validation {
    condition     = var.idempotency_ttl_days >= 1 && floor(var.idempotency_ttl_days) == var.idempotency_ttl_days
    error_message = "idempotency_ttl_days must be a whole number of at least 1."
  }
}

variable "aggregator" {
  description = "Size and settings of the function: memory, batches, concurrency, reads and writes; lambdas/data_aggregator/README.md describes them."
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
    error_message = "aggregator.maximum_concurrency must be between 2 and 1000, AWS's limits for an event source mapping."
  }

  validation {
    condition     = var.aggregator.batch_size >= 1 && var.aggregator.batch_size <= 10000
    error_message = "aggregator.batch_size must be between 1 and 10000."
  }

  validation {
    condition     = var.aggregator.batching_window_seconds >= 0 && var.aggregator.batching_window_seconds <= 300
    error_message = "aggregator.batching_window_seconds must be between 0 and 300."
  }

  validation {
    condition     = var.aggregator.batch_size <= 10 || var.aggregator.batching_window_seconds >= 1
    error_message = "aggregator.batch_size above 10 requires a batching_window_seconds of at least 1 (a limit of AWS)."
  }

  # 320 MB plus the read-ahead buffer must fit into 85 % of the memory: 70 MB of Python and libraries, the spool, parts
  # in flight, held data, 20,000 objects of 2 KB, and the window of a Zstandard or xz object.
  validation {
    condition     = 0.85 * var.aggregator.memory_mb >= 320 + var.aggregator.read_ahead_mb
    error_message = "aggregator.memory_mb must be at least (320 + read_ahead_mb) / 0.85, so that no object can exhaust it: 415 with the default read_ahead_mb of 32."
  }

  validation {
    condition     = contains([0, 1, 2, 3], var.aggregator.gzip_level)
    error_message = "aggregator.gzip_level must be 0 (the fastest), 1, 2 or 3."
  }

  validation {
    condition     = alltrue([for number in [var.aggregator.max_bundle_input_mb, var.aggregator.read_concurrency, var.aggregator.read_ahead_mb, var.aggregator.claim_grace_seconds] : number >= 1])
    error_message = "aggregator.max_bundle_input_mb, read_concurrency, read_ahead_mb and claim_grace_seconds must be at least 1."
  }

  validation {
    condition     = var.aggregator.disk_reserve_mb >= 0 && var.aggregator.disk_reserve_mb < var.aggregator.ephemeral_storage_mb
    error_message = "aggregator.disk_reserve_mb must be below aggregator.ephemeral_storage_mb: otherwise no bundle would ever fit."
  }

  validation {
    condition     = var.aggregator.stop_before_seconds >= 1 && var.aggregator.stop_before_seconds < var.aggregator.timeout_seconds
    error_message = "aggregator.stop_before_seconds must be at least 1 and below aggregator.timeout_seconds: otherwise no source would ever be accepted."
  }
}

# Security and operations

variable "common" {
  description = "Settings that all services share; infra/README.md describes them under One service alone. kms_key_arn also encrypts the copies in the archive. In a VPC the function needs endpoints for S3, DynamoDB and SQS, or a NAT gateway."
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
    error_message = "log_level must be DEBUG, INFO, WARNING or ERROR."
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
  description = "Replication latency, in seconds, above which the alarm fires."
  type        = number
  default     = 900
}

variable "distribution_objects_alarm" {
  description = "Number of objects in the distribution bucket above which the alarm fires."
  type        = number
  default     = 100000
}
