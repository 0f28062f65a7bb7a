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
  description = "Folder that holds dataset_download.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder that holds powertools.zip, pydantic.zip, isal.zip and dataset.zip."
  type        = string
}

# Buckets

variable "create_bucket" {
  description = "Make the bucket of the datasets; false to use the existing bucket_name."
  type        = bool
  default     = true
}

variable "bucket_name" {
  description = "Bucket of the datasets; null generates a name. Needed where create_bucket is false."
  type        = string
  default     = null
}

variable "prefix" {
  description = "Key prefix of the datasets; empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9!_.'()/-]*$", var.prefix))
    error_message = "prefix has no wildcards."
  }
}

variable "noncurrent_days" {
  description = "Days that a replaced or deleted dataset is kept."
  type        = number
  default     = 90
}

variable "intelligent_tiering" {
  description = "Have S3 move datasets that are seldom read to cheaper tiers."
  type        = bool
  default     = false
}

variable "create_export_bucket" {
  description = "Make the export bucket; false to use the existing export_bucket_name, which should then expire export_prefix and stale multipart uploads by itself."
  type        = bool
  default     = true
}

variable "export_bucket_name" {
  description = "Bucket of the exports; null generates a name. Needed where create_export_bucket is false."
  type        = string
  default     = null
}

variable "export_prefix" {
  description = "Key prefix of the exports."
  type        = string
  default     = "exports/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9!_.'()/-]*[A-Za-z0-9!_.'()-]$", trim(var.export_prefix, "/")))
    error_message = "export_prefix is not empty and has no wildcards."
  }
}

variable "export_days" {
  description = "Days that an export is kept; more than an address to it is good for."
  type        = number
  default     = 2

  validation {
    condition     = var.export_days >= 1 && floor(var.export_days) == var.export_days
    error_message = "export_days is a whole number of at least 1."
  }
}

variable "artifact_bucket" {
  description = "Bucket that the zip of the layer dataset travels through; null for inside the API call, which takes up to 50 MB."
  type        = object({ name = string })
  default     = null
}

# Function URL and CloudFront

variable "function_url_auth" {
  description = "Who may call the Function URL: AWS_IAM (signed requests: CloudFront's, or of whoever is allowed to) or NONE (anybody; for emulators)."
  type        = string
  default     = "AWS_IAM"

  validation {
    condition     = contains(["AWS_IAM", "NONE"], var.function_url_auth)
    error_message = "function_url_auth is AWS_IAM or NONE."
  }
}

variable "web_adapter" {
  description = "Stream, by AWS Lambda Web Adapter. False where there is none, like an emulator: answers are then buffered."
  type        = bool
  default     = true
}

variable "web_adapter_layer_arn" {
  description = "Layer of the Web Adapter; null for the one that AWS publishes in the region."
  type        = string
  default     = null
}

variable "canary" {
  description = "Have CodeDeploy give a new version a tenth of the requests for five minutes before it gets all."
  type        = bool
  default     = false
}

variable "cdn" {
  description = "CloudFront in front of the Function URL; modules/cdn/variables.tf describes each setting."
  type = object({
    enabled         = optional(bool, false)
    aliases         = optional(list(string), [])
    certificate_arn = optional(string)
    web_acl_arn     = optional(string)
    geo_restriction = optional(object({
      type      = optional(string, "none")
      countries = optional(list(string), [])
    }), {})
    default_ttl_seconds    = optional(number, 300)
    max_ttl_seconds        = optional(number, 86400)
    error_ttl_seconds      = optional(number, 5)
    price_class            = optional(string, "PriceClass_100")
    log_bucket_domain_name = optional(string)
  })
  default  = {}
  nullable = false
}

# Functions

variable "download" {
  description = "The functions' size, and how they read and answer. Sizes and limits are those of lambdas/dataset_download/README.md."
  type = object({
    memory_mb              = optional(number, 512)
    timeout_seconds        = optional(number, 60)
    reserved_concurrency   = optional(number, -1)
    export_memory_mb       = optional(number, 1024)
    export_timeout_seconds = optional(number, 900)
    batch_rows             = optional(number, 10000)
    read_ahead_mb          = optional(number, 32)
    max_sort_rows          = optional(number, 1000000)
    organisation_column    = optional(string, "organisation-entity")
    formula_guard          = optional(bool, false)
    redirect_parquet       = optional(bool, true)
    stream_limit_mb        = optional(number, 20)
    small_answer_kb        = optional(number, 1024)
    buffer_limit_mb        = optional(number, 6)
    exports                = optional(bool, true)
    export_inline_mb       = optional(number, 200)
    presign_ttl_seconds    = optional(number, 3600)
    cache_full_seconds     = optional(number, 3600)
    cache_filtered_seconds = optional(number, 300)
    page_cache_seconds     = optional(number, 60)
    max_query_bytes        = optional(number, 8192)
    stall_seconds          = optional(number, 60)
    public_base_url        = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.download.stream_limit_mb >= 0 && var.download.stream_limit_mb <= 200
    error_message = "download.stream_limit_mb is between 0 (no limit) and 200, where Lambda ends a streamed answer."
  }

  validation {
    condition     = var.download.buffer_limit_mb >= 1 && var.download.buffer_limit_mb <= 6
    error_message = "download.buffer_limit_mb is between 1 and 6, the largest answer of a function that does not stream."
  }

  validation {
    condition     = var.download.presign_ttl_seconds >= 60 && var.download.presign_ttl_seconds <= 43200
    error_message = "download.presign_ttl_seconds is between 60 and 43200: an address is good no longer than the credentials of the function that signed it, which last 12 hours at most."
  }

  validation {
    condition     = var.download.public_base_url == null || can(regex("^https?://[^/?#]+$", var.download.public_base_url))
    error_message = "download.public_base_url is https://domain, without a path."
  }

  validation {
    condition     = alltrue([for number in [var.download.batch_rows, var.download.read_ahead_mb, var.download.max_sort_rows, var.download.small_answer_kb, var.download.stall_seconds] : number >= 1])
    error_message = "download.batch_rows, read_ahead_mb, max_sort_rows, small_answer_kb and stall_seconds are at least 1."
  }
}

# Security and operations

variable "common" {
  description = "Settings that all services have alike; infra/README.md describes each under One service alone. In a VPC a Function URL does not stream: responses are buffered, up to 6 MB, and larger ones exported."
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
  description = "KMS keys of existing buckets."
  type        = list(string)
  default     = []
}

variable "us_east_1_alarm_topic_arns" {
  description = "SNS topics in us-east-1 told of the alarm on CloudFront's answers."
  type        = list(string)
  default     = []
}

variable "error_rate_alarm_percent" {
  description = "Percentage of requests to the Function URL answered with a 5xx above which the alarm fires."
  type        = number
  default     = 5

  validation {
    condition     = var.error_rate_alarm_percent > 0 && var.error_rate_alarm_percent < 100
    error_message = "error_rate_alarm_percent is between 0 and 100."
  }
}
