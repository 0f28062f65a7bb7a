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
  description = "Folder with dataset_download.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder with powertools.zip, pydantic.zip, isal.zip and dataset.zip."
  type        = string
}

# Buckets

variable "create_bucket" {
  description = "Create the dataset bucket; false to use the existing bucket_name."
  type        = bool
  default     = true
}

variable "bucket_name" {
  description = "Bucket of the datasets; null generates a name. Required if create_bucket is false."
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
    error_message = "prefix must not contain wildcards."
  }
}

variable "noncurrent_days" {
  description = "Days that the old version of a replaced or deleted dataset is kept."
  type        = number
  default     = 90
}

variable "intelligent_tiering" {
  description = "Move rarely read datasets to cheaper tiers (S3 Intelligent-Tiering)."
  type        = bool
  default     = false
}

variable "create_export_bucket" {
  description = "Create the export bucket; false to use the existing export_bucket_name, which should then expire export_prefix and abort incomplete multipart uploads itself."
  type        = bool
  default     = true
}

variable "export_bucket_name" {
  description = "Bucket of the exports; null generates a name. Required if create_export_bucket is false."
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
    error_message = "export_prefix must not be empty or contain wildcards."
  }
}

variable "export_days" {
  description = "Days that an export is kept; longer than a presigned URL is valid."
  type        = number
  default     = 2

  validation {
    condition     = var.export_days >= 1 && floor(var.export_days) == var.export_days
    error_message = "export_days must be a whole number of at least 1."
  }
}

variable "artifact_bucket" {
  description = "Bucket for uploading the zip of the layer dataset; null to send it in the API call, which accepts up to 50 MB."
  type        = object({ name = string })
  default     = null
}

# Function URL and CloudFront

variable "function_url_auth" {
  description = "Authorization of the Function URL: AWS_IAM (signed requests of CloudFront or of allowed callers) or NONE (public; for emulators)."
  type        = string
  default     = "AWS_IAM"

  validation {
    condition     = contains(["AWS_IAM", "NONE"], var.function_url_auth)
    error_message = "function_url_auth must be AWS_IAM or NONE."
  }
}

variable "web_adapter" {
  description = "Stream responses by AWS Lambda Web Adapter. False if it is not available, as on an emulator: responses are then buffered."
  type        = bool
  default     = true
}

variable "web_adapter_layer_arn" {
  description = "ARN of the Web Adapter's layer; null for the one that AWS publishes in the region."
  type        = string
  default     = null
}

variable "canary" {
  description = "Canary deployment: CodeDeploy routes a tenth of the requests to a new version for five minutes, then all."
  type        = bool
  default     = false
}

variable "cdn" {
  description = "CloudFront in front of the Function URL; modules/cdn/variables.tf describes the attributes."
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
  description = "Size and settings of the functions; lambdas/dataset_download/README.md describes them."
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
    error_message = "download.stream_limit_mb must be between 0 (no limit) and 200, Lambda's limit of a streamed response."
  }

  validation {
    condition     = var.download.buffer_limit_mb >= 1 && var.download.buffer_limit_mb <= 6
    error_message = "download.buffer_limit_mb must be between 1 and 6, Lambda's limit of a buffered response."
  }

  validation {
    condition     = var.download.presign_ttl_seconds >= 60 && var.download.presign_ttl_seconds <= 43200
    error_message = "download.presign_ttl_seconds must be between 60 and 43200: a presigned URL expires with the function's credentials, after 12 hours at most."
  }

  validation {
    condition     = var.download.public_base_url == null || can(regex("^https?://[^/?#]+$", var.download.public_base_url))
    error_message = "download.public_base_url must have the form https://domain, without a path."
  }

  validation {
    condition     = alltrue([for number in [var.download.batch_rows, var.download.read_ahead_mb, var.download.max_sort_rows, var.download.small_answer_kb, var.download.stall_seconds] : number >= 1])
    error_message = "download.batch_rows, read_ahead_mb, max_sort_rows, small_answer_kb and stall_seconds must be at least 1."
  }
}

# Security and operations

variable "common" {
  description = "Settings that all services share; infra/README.md describes them under One service alone. In a VPC a Function URL does not stream: responses are buffered, up to 6 MB, and larger ones exported."
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
  description = "KMS keys of existing buckets."
  type        = list(string)
  default     = []
}

variable "us_east_1_alarm_topic_arns" {
  description = "SNS topics in us-east-1 that the alarm on CloudFront's errors notifies."
  type        = list(string)
  default     = []
}

variable "error_rate_alarm_percent" {
  description = "Percentage of 5xx responses of the Function URL above which the alarm fires."
  type        = number
  default     = 5

  validation {
    condition     = var.error_rate_alarm_percent > 0 && var.error_rate_alarm_percent < 100
    error_message = "error_rate_alarm_percent must be between 0 and 100."
  }
}
