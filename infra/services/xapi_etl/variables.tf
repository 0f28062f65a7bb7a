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
  description = "Folder that holds xapi_etl.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder that holds powertools.zip and xapi.zip."
  type        = string
}

# Buckets

variable "create_bucket" {
  description = "Make the bucket; false to use the existing bucket_name."
  type        = bool
  default     = true
}

variable "bucket_name" {
  description = "Bucket whose new objects are loaded; null generates a name. Needed where create_bucket is false."
  type        = string
  default     = null
}

variable "create_notification" {
  description = "Set the bucket's notification, the one configuration that a bucket has. False for a bucket that has one elsewhere: queue_arns belong in it then."
  type        = bool
  default     = true
}

variable "source_prefix" {
  description = "Key prefix of the objects that are loaded; empty for all."
  type        = string
  default     = "statements/"
  nullable    = false

  validation {
    condition     = can(regex("^[^*?]*$", var.source_prefix)) && !startswith(var.source_prefix, "/")
    error_message = "source_prefix has no wildcards and does not begin with a slash."
  }
}

variable "source_suffixes" {
  description = "Ends of the keys of the objects that are loaded, like .jsonl and .jsonl.gz; empty for all."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.source_suffixes : alltrue([for other in var.source_suffixes : one == other || !endswith(one, other)])]) && length(distinct(var.source_suffixes)) == length(var.source_suffixes) && !contains(var.source_suffixes, "")
    error_message = "No suffix is empty or the end of another: S3 refuses rules that overlap."
  }
}

variable "partitions" {
  description = "Functions with a queue each for parts of the bucket: name to key prefix, instead of source_prefix. Empty for one function."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.partitions) : can(regex("^[a-z][a-z0-9-]{0,15}$", name))])
    error_message = "A partition's name has at most 16 lower-case letters, digits and hyphens and starts with a letter."
  }

  validation {
    condition = alltrue([
      for name, prefix in var.partitions :
      prefix != "" && alltrue([for other, longer in var.partitions : name == other || !startswith(longer, prefix)])
    ])
    error_message = "No partition's prefix is empty or the beginning of another's: S3 refuses rules that overlap."
  }
}

variable "quarantine_bucket_name" {
  description = "Existing bucket for lines that are no statements; null for the bucket itself."
  type        = string
  default     = null
}

variable "quarantine_prefix" {
  description = "What the keys of the quarantine begin with. In the same bucket it lies outside of what is loaded."
  type        = string
  default     = "quarantine/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9!_.'()-][A-Za-z0-9!_.'()/-]*/$", var.quarantine_prefix))
    error_message = "quarantine_prefix ends with a slash, does not begin with one, and has no wildcards."
  }
}

variable "quarantine_days" {
  description = "Days that the bucket, where it is made here, keeps its quarantine."
  type        = number
  default     = 90

  validation {
    condition     = var.quarantine_days >= 1 && floor(var.quarantine_days) == var.quarantine_days
    error_message = "quarantine_days is a whole number of at least 1."
  }
}

variable "artifact_bucket" {
  description = "Bucket that the zip of the layer xapi travels through; null for inside the API call, which takes up to 50 MB."
  type        = object({ name = string })
  default     = null
}

variable "layer_shared_with" {
  description = "Accounts that may use the layers, too, by their number."
  type        = list(string)
  default     = []
  nullable    = false
}

# Events

variable "queue_retention_seconds" {
  description = "Seconds that an event waits to be loaded before it is lost."
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

# ClickHouse

variable "clickhouse" {
  description = "Where rows go. What is left out has the function's default; lambdas/xapi_etl/README.md describes each. secret_arn is a Secrets Manager secret, JSON with username and password."
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
    error_message = "clickhouse.url is http(s)://host:port, perhaps with a path, and holds no user and password: they would be seen in the plan."
  }

  validation {
    condition     = var.clickhouse.port == null || try(var.clickhouse.port >= 1 && var.clickhouse.port <= 65535, false)
    error_message = "clickhouse.port is between 1 and 65535."
  }

  validation {
    condition     = var.clickhouse.secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:", var.clickhouse.secret_arn))
    error_message = "clickhouse.secret_arn is the ARN of a secret in Secrets Manager."
  }

  validation {
    condition     = alltrue([for name, value in var.clickhouse.settings : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !strcontains(value, ",")])
    error_message = "clickhouse.settings has names of settings, and values without commas."
  }
}

variable "clickhouse_password" {
  description = "Password of clickhouse.user; it stands in the state and the function's environment. clickhouse.secret_arn does not."
  type        = string
  default     = null
  sensitive   = true
}

# Functions

variable "etl" {
  description = "The functions' size, their batches, how many run at once, and how each reads and inserts. Sizes and limits are those of lambdas/xapi_etl/README.md."
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
    error_message = "etl.maximum_concurrency is between 2 and 1000, as AWS demands of an event source mapping."
  }

  validation {
    condition     = var.etl.batch_size >= 1 && var.etl.batch_size <= 10000
    error_message = "etl.batch_size is between 1 and 10000."
  }

  validation {
    condition     = var.etl.batching_window_seconds >= 0 && var.etl.batching_window_seconds <= 300
    error_message = "etl.batching_window_seconds is between 0 and 300."
  }

  validation {
    condition     = var.etl.batch_size <= 10 || var.etl.batching_window_seconds >= 1
    error_message = "etl.batch_size above 10 needs a batching_window_seconds of at least 1, as AWS demands."
  }

  validation {
    condition     = contains(["fail", "quarantine", "skip"], coalesce(var.etl.bad_lines, "fail")) && contains(["xapi", "auto"], var.etl.column_map) && contains(["statement", "json"], coalesce(var.etl.strictness, "json"))
    error_message = "etl.bad_lines is fail, quarantine or skip, etl.column_map xapi or auto, and etl.strictness statement or json."
  }

  validation {
    condition     = var.etl.bad_lines_max_ratio >= 0 && var.etl.bad_lines_max_ratio <= 1 && var.etl.max_line_bytes >= 1024 && var.etl.max_line_bytes <= 67108864
    error_message = "etl.bad_lines_max_ratio is between 0 and 1, and etl.max_line_bytes between 1024 and 67108864."
  }

  validation {
    condition     = var.etl.column_map_s3_uri == null || can(regex("^s3://[^/*?]+/[^*?]+$", var.etl.column_map_s3_uri))
    error_message = "etl.column_map_s3_uri is s3://bucket/key."
  }

  validation {
    condition     = contains(["snappy", "gzip", "brotli", "zstd", "lz4", "none"], var.etl.parquet_compression)
    error_message = "etl.parquet_compression is snappy, gzip, brotli, zstd, lz4 or none."
  }

  validation {
    condition     = var.etl.target_rows_per_insert >= 1 && var.etl.target_rows_per_insert <= var.etl.max_rows_per_insert && var.etl.max_rows_per_insert <= 1000000
    error_message = "etl.target_rows_per_insert is at least 1 and not above etl.max_rows_per_insert, which is at most 1000000."
  }

  validation {
    condition     = max(var.etl.min_remaining_time_to_start_insert_ms, var.etl.lambda_timeout_safety_margin_ms) < 1000 * var.etl.timeout_seconds
    error_message = "etl.min_remaining_time_to_start_insert_ms and lambda_timeout_safety_margin_ms are below etl.timeout_seconds: else nothing would ever be inserted."
  }
}

# Security and operations

variable "common" {
  description = "Settings that all services have alike; infra/README.md describes each under One service alone. In a VPC, for a ClickHouse that is reachable only from there, the functions need endpoints for S3, SQS and Secrets Manager, or a NAT gateway."
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

variable "additional_kms_key_arns" {
  description = "KMS keys of existing buckets, and of the secret."
  type        = list(string)
  default     = []
}

variable "oldest_message_alarm_seconds" {
  description = "Age of the oldest event in a queue, in seconds, above which the alarm fires."
  type        = number
  default     = 900
}
