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
  description = "Folder with csv_streamer.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder with powertools.zip and aiohttp.zip."
  type        = string
}

# Bucket

variable "create_bucket" {
  description = "Create the bucket; false to use the existing bucket_name, which should then expire .csv-streamer/ and abort incomplete multipart uploads itself."
  type        = bool
  default     = true
}

variable "bucket_name" {
  description = "Bucket of the files and of config/parameters.json; null generates a name. Required if create_bucket is false."
  type        = string
  default     = null
}

variable "path_prefix" {
  description = "Key prefix of the files; year, month and day are appended."
  type        = string
  default     = "raw"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9!_.'()/-]*[A-Za-z0-9!_.'()-]$", trim(var.path_prefix, "/"))) && !contains(["config", ".csv-streamer"], split("/", trim(var.path_prefix, "/"))[0])
    error_message = "path_prefix must not be empty, contain wildcards, or start with config or .csv-streamer, which the service uses itself."
  }
}

variable "additional_prefixes" {
  description = "Additional key prefixes that entries of config/parameters.json may use."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for prefix in var.additional_prefixes :
      can(regex("^[A-Za-z0-9!_.'()/-]*[A-Za-z0-9!_.'()-]$", trim(prefix, "/"))) && !contains(["config", ".csv-streamer"], split("/", trim(prefix, "/"))[0])
    ])
    error_message = "An additional prefix must not be empty, contain wildcards, or start with config or .csv-streamer, which the service uses itself."
  }
}

# Runs

variable "schedule" {
  description = "EventBridge schedule expression of the runs; null for manual runs only."
  type        = string
  default     = null

  validation {
    condition     = var.schedule == null || can(regex("^(rate|cron)\\(.+\\)$", var.schedule))
    error_message = "schedule must be a schedule expression, such as rate(1 day) or cron(0 5 * * ? *)."
  }
}

variable "secret_arns" {
  description = "ARNs of secrets that entries may take headers from; -* after the name replaces the six random characters if they are unknown."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*]+(-\\*)?$", arn))])
    error_message = "A secret's ARN must begin with arn:aws:secretsmanager:, and only its six random characters may be a wildcard."
  }
}

variable "streamer" {
  description = "Size and settings of the function; lambdas/csv_streamer/README.md describes them."
  type = object({
    memory_mb                 = optional(number, 1024)
    timeout_seconds           = optional(number, 600)
    reserved_concurrency      = optional(number, -1)
    maximum_event_age_seconds = optional(number, 3600)
    concurrency               = optional(number, 2)
    s3_part_mb                = optional(number, 50)
    http_chunk_kb             = optional(number, 1024)
    upload_concurrency        = optional(number, 4)
    range_connections         = optional(number, 4)
    connections_per_host      = optional(number, 16)
    max_attempts              = optional(number, 5)
    max_file_gb               = optional(number, 100)
    suffix_map                = optional(map(string))
    suffix_match              = optional(string, "url")
    http_proxy                = optional(string)
    https_proxy               = optional(string)
    no_proxy                  = optional(string)
    ca_bundle                 = optional(string)
    allow_private_hosts       = optional(bool, false)
    skip_unchanged            = optional(bool, false)
    continue_async            = optional(bool, true)
    max_hops                  = optional(number, 50)
    stop_before_seconds       = optional(number, 45)
    stall_seconds             = optional(number, 60)
    progress_seconds          = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.streamer.s3_part_mb >= 5 && var.streamer.s3_part_mb <= 5120
    error_message = "streamer.s3_part_mb must be between 5 and 5120, the limits of S3."
  }

  validation {
    condition     = var.streamer.http_chunk_kb >= 16 && var.streamer.http_chunk_kb <= 65536
    error_message = "streamer.http_chunk_kb must be between 16 and 65536."
  }

  validation {
    condition     = alltrue([for number in [var.streamer.concurrency, var.streamer.upload_concurrency, var.streamer.range_connections] : number >= 1 && number <= 64 && floor(number) == number])
    error_message = "streamer.concurrency, upload_concurrency and range_connections must be whole numbers between 1 and 64."
  }

  validation {
    condition     = var.streamer.connections_per_host >= 1 && var.streamer.connections_per_host <= 4096 && floor(var.streamer.connections_per_host) == var.streamer.connections_per_host
    error_message = "streamer.connections_per_host must be a whole number between 1 and 4096."
  }

  validation {
    condition     = contains(["url", "words"], var.streamer.suffix_match)
    error_message = "streamer.suffix_match must be url or words."
  }

  validation {
    condition     = alltrue([for proxy in compact([var.streamer.http_proxy, var.streamer.https_proxy]) : can(regex("^https?://[^/]+/?$", proxy))])
    error_message = "streamer.http_proxy and https_proxy must be URLs such as http://proxy.example:3128."
  }

  validation {
    condition     = alltrue([for proxy in compact([var.streamer.http_proxy, var.streamer.https_proxy]) : var.streamer.no_proxy != null])
    error_message = "With a proxy, set streamer.no_proxy to the hosts that are reached without it. The AWS clients use the same variables: include amazonaws.com unless the proxy also reaches S3. An empty string is allowed."
  }

  validation {
    condition     = var.streamer.max_file_gb >= 1 && var.streamer.max_file_gb <= 5120
    error_message = "streamer.max_file_gb must be between 1 and 5120, the largest object of S3."
  }

  validation {
    condition     = var.streamer.max_attempts >= 1 && var.streamer.max_hops >= 1 && var.streamer.stall_seconds >= 1 && var.streamer.progress_seconds >= 1
    error_message = "streamer.max_attempts, max_hops, stall_seconds and progress_seconds must be at least 1."
  }

  validation {
    condition     = var.streamer.stop_before_seconds >= 1 && var.streamer.stop_before_seconds < var.streamer.timeout_seconds
    error_message = "streamer.stop_before_seconds must be at least 1 and below streamer.timeout_seconds: otherwise no file would ever be started."
  }
}

# Security and operations

variable "common" {
  description = "Settings that all services share; infra/README.md describes them under One service alone. In a VPC the function needs a NAT gateway to reach the servers that it streams from. A file that is streamed over several invocations must be complete within abort_upload_after_days."
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
  description = "KMS keys of an existing bucket and of the secrets."
  type        = list(string)
  default     = []
}
