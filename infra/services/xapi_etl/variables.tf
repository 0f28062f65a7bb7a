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
  description = "Folder with xapi_etl.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder with powertools.zip and xapi.zip."
  type        = string
}

# Buckets

variable "create_bucket" {
  description = "Create the bucket; false to use the existing bucket_name."
  type        = bool
  default     = true
}

variable "bucket_name" {
  description = "Bucket whose new objects are loaded; null generates a name. Required if create_bucket is false."
  type        = string
  default     = null
}

variable "create_notification" {
  description = "Configure the bucket's notification; a bucket has only one such configuration. False if it is configured elsewhere, which must then include queue_arns."
  type        = bool
  default     = true
}

variable "source_prefix" {
  description = "Key prefix of the objects to load; empty for all."
  type        = string
  default     = "statements/"
  nullable    = false

  validation {
    condition     = can(regex("^[^*?]*$", var.source_prefix)) && !startswith(var.source_prefix, "/")
    error_message = "source_prefix must not contain wildcards or begin with a slash."
  }
}

variable "source_suffixes" {
  description = "Key suffixes of the objects to load, such as .jsonl and .jsonl.gz; empty for all."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.source_suffixes : alltrue([for other in var.source_suffixes : one == other || !endswith(one, other)])]) && length(distinct(var.source_suffixes)) == length(var.source_suffixes) && !contains(var.source_suffixes, "")
    error_message = "No suffix may be empty or the end of another: S3 rejects overlapping rules."
  }
}

variable "partitions" {
  description = "Map of partition name to key prefix, instead of source_prefix; each partition has its own queue and function. Empty for one function."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.partitions) : can(regex("^[a-z][a-z0-9-]{0,15}$", name))])
    error_message = "A partition's name must have at most 16 lower-case letters, digits and hyphens and start with a letter."
  }

  validation {
    condition = alltrue([
      for name, prefix in var.partitions :
      prefix != "" && alltrue([for other, longer in var.partitions : name == other || !startswith(longer, prefix)])
    ])
    error_message = "No partition's prefix may be empty or the beginning of another's: S3 rejects overlapping rules."
  }
}

variable "quarantine_bucket_name" {
  description = "Existing bucket for rejected lines; null for the bucket itself."
  type        = string
  default     = null
}

variable "quarantine_prefix" {
  description = "Key prefix of the quarantine. In the same bucket it must not overlap with the prefixes to load."
  type        = string
  default     = "quarantine/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9!_.'()-][A-Za-z0-9!_.'()/-]*/$", var.quarantine_prefix))
    error_message = "quarantine_prefix must end with a slash, and must not begin with one or contain wildcards."
  }
}

variable "quarantine_days" {
  description = "Days that a bucket created here keeps its quarantine."
  type        = number
  default     = 90

  validation {
    condition     = var.quarantine_days >= 1 && floor(var.quarantine_days) == var.quarantine_days
    error_message = "quarantine_days must be a whole number of at least 1."
  }
}

variable "artifact_bucket" {
  description = "Bucket for uploading the zip of the layer xapi; null to send it in the API call, which accepts up to 50 MB."
  type        = object({ name = string })
  default     = null
}

variable "layer_shared_with" {
  description = "IDs of other accounts that may use the layers."
  type        = list(string)
  default     = []
  nullable    = false
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

# ClickHouse

variable "clickhouse" {
  description = "ClickHouse connection and target table. Unset attributes have the function's defaults; lambdas/xapi_etl/README.md describes them. secret_arn is a Secrets Manager secret, JSON with username and password."
  type = object({
    url             = optional(string)
    host            = optional(string)
    port            = optional(number)
    secure          = optional(bool, true)
    path            = optional(string)
    database        = optional(string, "xapi")
    table           = optional(string, "statements")
    insert_sql      = optional(string)
    insert_columns  = optional(list(string), [])
    user            = optional(string)
    secret_arn      = optional(string)
    settings        = optional(map(string), {})
    timeout_seconds = optional(number)
    max_attempts    = optional(number)
  })
  nullable = false

  validation {
    condition     = var.clickhouse.url == null || can(regex("^https?://[^/@?#]+(/[^?#]*)?$", var.clickhouse.url))
    error_message = "clickhouse.url must have the form http(s)://host:port with an optional path, without user and password, which the plan would show."
  }

  validation {
    condition     = var.clickhouse.port == null || try(var.clickhouse.port >= 1 && var.clickhouse.port <= 65535, false)
    error_message = "clickhouse.port must be between 1 and 65535."
  }

  validation {
    condition     = var.clickhouse.secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:", var.clickhouse.secret_arn))
    error_message = "clickhouse.secret_arn must be the ARN of a secret in Secrets Manager."
  }

  validation {
    condition     = alltrue([for name, value in var.clickhouse.settings : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !strcontains(value, ",")])
    error_message = "clickhouse.settings must map setting names to values without commas."
  }
}

variable "clickhouse_password" {
  description = "Password of clickhouse.user. It is stored in the state and in the function's environment; clickhouse.secret_arn avoids both."
  type        = string
  default     = null
  sensitive   = true
}

# Functions

variable "etl" {
  description = "Size and settings of the functions: memory, batches, concurrency, reads and inserts; lambdas/xapi_etl/README.md describes them."
  type = object({
    memory_mb                             = optional(number, 1024)
    ephemeral_storage_mb                  = optional(number, 1024)
    timeout_seconds                       = optional(number, 120)
    batch_size                            = optional(number, 100)
    batching_window_seconds               = optional(number, 60)
    maximum_concurrency                   = optional(number, 2)
    reserved_concurrency                  = optional(number, -1)
    strictness                            = optional(string)
    bad_lines                             = optional(string)
    bad_lines_max_ratio                   = optional(number, 1)
    max_line_bytes                        = optional(number, 33554432)
    column_map                            = optional(string, "xapi")
    column_map_s3_uri                     = optional(string)
    parquet_compression                   = optional(string, "snappy")
    target_rows_per_insert                = optional(number, 10000)
    max_rows_per_insert                   = optional(number, 30000)
    max_parquet_bytes_per_insert          = optional(number, 16777216)
    min_remaining_time_to_start_insert_ms = optional(number, 10000)
    lambda_timeout_safety_margin_ms       = optional(number, 5000)
    max_s3_object_bytes                   = optional(number, 0)
    s3_connect_timeout_seconds            = optional(number, 5)
    s3_read_timeout_seconds               = optional(number, 60)
    s3_max_attempts                       = optional(number, 3)
    read_concurrency                      = optional(number, 8)
    iter_log_interval_seconds             = optional(number, 5)
    dry_run                               = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.etl.maximum_concurrency >= 2 && var.etl.maximum_concurrency <= 1000
    error_message = "etl.maximum_concurrency must be between 2 and 1000, AWS's limits for an event source mapping."
  }

  validation {
    condition     = var.etl.batch_size >= 1 && var.etl.batch_size <= 10000
    error_message = "etl.batch_size must be between 1 and 10000."
  }

  validation {
    condition     = var.etl.batching_window_seconds >= 0 && var.etl.batching_window_seconds <= 300
    error_message = "etl.batching_window_seconds must be between 0 and 300."
  }

  validation {
    condition     = var.etl.batch_size <= 10 || var.etl.batching_window_seconds >= 1
    error_message = "etl.batch_size above 10 requires a batching_window_seconds of at least 1 (a limit of AWS)."
  }

  validation {
    condition     = contains(["fail", "quarantine", "skip"], coalesce(var.etl.bad_lines, "fail")) && contains(["xapi", "auto"], var.etl.column_map) && contains(["statement", "json"], coalesce(var.etl.strictness, "json"))
    error_message = "etl.bad_lines must be fail, quarantine or skip, etl.column_map xapi or auto, and etl.strictness statement or json."
  }

  validation {
    condition     = var.etl.bad_lines_max_ratio >= 0 && var.etl.bad_lines_max_ratio <= 1 && var.etl.max_line_bytes >= 1024 && var.etl.max_line_bytes <= 67108864
    error_message = "etl.bad_lines_max_ratio must be between 0 and 1, and etl.max_line_bytes between 1024 and 67108864."
  }

  validation {
    condition     = var.etl.column_map_s3_uri == null || can(regex("^s3://[^/*?]+/[^*?]+$", var.etl.column_map_s3_uri))
    error_message = "etl.column_map_s3_uri must have the form s3://bucket/key."
  }

  validation {
    condition     = contains(["snappy", "gzip", "brotli", "zstd", "lz4", "none"], var.etl.parquet_compression)
    error_message = "etl.parquet_compression must be snappy, gzip, brotli, zstd, lz4 or none."
  }

  validation {
    condition     = var.etl.target_rows_per_insert >= 1 && var.etl.target_rows_per_insert <= var.etl.max_rows_per_insert && var.etl.max_rows_per_insert <= 1000000
    error_message = "etl.target_rows_per_insert must be between 1 and etl.max_rows_per_insert, which must be at most 1000000."
  }

  validation {
    condition     = max(var.etl.min_remaining_time_to_start_insert_ms, var.etl.lambda_timeout_safety_margin_ms) < 1000 * var.etl.timeout_seconds
    error_message = "etl.min_remaining_time_to_start_insert_ms and lambda_timeout_safety_margin_ms must be below etl.timeout_seconds: otherwise nothing would ever be inserted."
  }
}

# Security and operations

variable "common" {
  description = "Settings that all services share; infra/README.md describes them under One service alone. In a VPC, for a ClickHouse that is reachable only from there, the functions need endpoints for S3, SQS and Secrets Manager, or a NAT gateway."
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

variable "additional_kms_key_arns" {
  description = "KMS keys of existing buckets and of the secret."
  type        = list(string)
  default     = []
}

variable "oldest_message_alarm_seconds" {
  description = "Age of the oldest event in a queue, in seconds, above which the alarm fires."
  type        = number
  default     = 900
}
