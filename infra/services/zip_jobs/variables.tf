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
  description = "Folder with zip_enqueue.zip, zip_status.zip and zip_worker.zip."
  type        = string
}

variable "layer_zip_dir" {
  description = "Folder with powertools.zip and pydantic.zip."
  type        = string
}

# Buckets

variable "create_src_bucket" {
  description = "Create the source bucket; false to use the existing src_bucket_name."
  type        = bool
  default     = true
}

variable "src_bucket_name" {
  description = "Bucket of the objects to archive; null generates a name. Required if create_src_bucket is false."
  type        = string
  default     = null
}

variable "additional_src_bucket_names" {
  description = "Additional existing buckets that a request may name as sourceBucket."
  type        = list(string)
  default     = []
}

variable "create_dst_bucket" {
  description = "Create the destination bucket; false to use the existing dst_bucket_name, which should then expire .zip-jobs/ and abort incomplete multipart uploads itself."
  type        = bool
  default     = true
}

variable "dst_bucket_name" {
  description = "Bucket of the archives; null generates a name. Required if create_dst_bucket is false."
  type        = string
  default     = null
}

variable "additional_dst_bucket_names" {
  description = "Additional existing buckets that a request may name as targetBucket."
  type        = list(string)
  default     = []
}

variable "dst_prefix" {
  description = "Default key prefix of the archives; a request may specify another."
  type        = string
  default     = "zips/"

  validation {
    condition     = !startswith(var.dst_prefix, "/") && !startswith(var.dst_prefix, ".zip-jobs/")
    error_message = "dst_prefix must not start with a slash or with .zip-jobs/, which the service uses itself."
  }

  validation {
    condition     = length(setintersection([".", ".."], split("/", var.dst_prefix))) == 0 && !can(regex("[\\x00-\\x1f\\x7f-\\x{9f}\\x{2028}\\x{2029}]", var.dst_prefix))
    error_message = "dst_prefix must not contain control characters, or . and .. as path segments, which clients would resolve."
  }
}

# Jobs

variable "presign_ttl_seconds" {
  description = "Default lifetime of a download URL in seconds; a request may specify another."
  type        = number
  default     = 86400

  validation {
    condition     = var.presign_ttl_seconds >= 60 && var.presign_ttl_seconds <= 604800
    error_message = "presign_ttl_seconds must be between 60 and 604800 (7 days, the limit of signature version 4)."
  }
}

variable "job_ttl_days" {
  description = "Days that a job is kept, and its archive with expire_archives."
  type        = number
  default     = 30

  validation {
    condition     = var.job_ttl_days >= 1 && floor(var.job_ttl_days) == var.job_ttl_days
    error_message = "job_ttl_days must be a whole number of at least 1."
  }
}

variable "expire_archives" {
  description = "Delete archives after job_ttl_days in the bucket created here. They have the tag sluice-zip-jobs = archive, by which a lifecycle rule of an existing bucket can select them."
  type        = bool
  default     = true
}

variable "queue_retention_seconds" {
  description = "Seconds that a job may wait in the queue before it is marked as failed."
  type        = number
  default     = 345600
}

variable "max_receive_count" {
  description = "Attempts per job. AWS recommends at least 5, because a throttled receive counts."
  type        = number
  default     = 5
}

variable "settle_schedule" {
  description = "EventBridge schedule expression of the settler, which marks the jobs of dead letters as failed."
  type        = string
  default     = "rate(5 minutes)"

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.settle_schedule))
    error_message = "settle_schedule must be a schedule expression, such as rate(5 minutes)."
  }
}

variable "worker" {
  description = "Size and settings of the worker: memory, timeout, concurrency, reads and writes."
  type = object({
    memory_mb            = optional(number, 1024)
    timeout_seconds      = optional(number, 900)
    maximum_concurrency  = optional(number, 2)
    reserved_concurrency = optional(number, -1)
    lease_seconds        = optional(number, 60)
    read_concurrency     = optional(number, 16)
    read_ahead_mb        = optional(number, 32)
    upload_concurrency   = optional(number, 4)
    part_size_bytes      = optional(number, 8388608)
    read_chunk_bytes     = optional(number, 4194304)
    max_members          = optional(number, 100000)
    copy_threshold_mb    = optional(number, 32)
    copy_concurrency     = optional(number, 8)
    head_threshold_kb    = optional(number, 1024)
    checkpoint_seconds   = optional(number, 60)
    stop_before_seconds  = optional(number, 45)
    max_hops             = optional(number, 50)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.worker.maximum_concurrency >= 2 && var.worker.maximum_concurrency <= 1000
    error_message = "worker.maximum_concurrency must be between 2 and 1000, AWS's limits for an event source mapping."
  }

  validation {
    condition     = var.worker.max_hops >= 0 && var.worker.max_hops <= 1000
    error_message = "worker.max_hops must be between 0 and 1000."
  }

  validation {
    condition     = var.worker.part_size_bytes >= 5242880 && var.worker.part_size_bytes <= 536870912
    error_message = "worker.part_size_bytes must be between 5 MiB, the minimum of S3, and 512 MiB, which bounds memory."
  }

  validation {
    condition     = var.worker.read_chunk_bytes >= 65536 && var.worker.read_chunk_bytes <= 67108864
    error_message = "worker.read_chunk_bytes must be between 64 KiB and 64 MiB."
  }

  validation {
    condition     = var.worker.read_ahead_mb >= 1 && var.worker.read_ahead_mb <= 8192
    error_message = "worker.read_ahead_mb must be between 1 and 8192."
  }

  validation {
    condition     = var.worker.lease_seconds >= 5 && var.worker.lease_seconds < var.worker.timeout_seconds
    error_message = "worker.lease_seconds must be at least 5 and below worker.timeout_seconds."
  }

  validation {
    condition     = var.worker.copy_threshold_mb == 0 || var.worker.copy_threshold_mb >= 10
    error_message = "worker.copy_threshold_mb must be 0 (copy nothing inside S3) or at least 10, so that no copied part is too small for S3."
  }

  validation {
    condition     = var.worker.stop_before_seconds >= 1 && var.worker.stop_before_seconds <= var.worker.timeout_seconds / 2
    error_message = "worker.stop_before_seconds must be at least 1 and at most half of worker.timeout_seconds."
  }
}

# API

variable "api_auth" {
  description = "Authorization of the API: AWS_IAM, JWT or NONE (public)."
  type        = string
  default     = "AWS_IAM"
}

variable "jwt_issuer" {
  description = "Issuer of the tokens, for api_auth = JWT."
  type        = string
  default     = null
}

variable "jwt_audience" {
  description = "Accepted audiences for api_auth = JWT; a token must name one of them."
  type        = list(string)
  default     = []
}

variable "operators" {
  description = "Callers who may see every job: IAM roles and users by ARN, and tokens by claim values, such as { \"cognito:groups\" = [\"zip-operators\"] }. All others see only their own jobs."
  type = object({
    iam_arns = optional(list(string), [])
    claims   = optional(map(list(string)), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for arn in var.operators.iam_arns : can(regex("^arn:[a-z0-9-]+:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "operators.iam_arns must contain ARNs of IAM identities, such as arn:aws:iam::111122223333:role/Operators."
  }

  validation {
    condition     = alltrue([for value in flatten(values(var.operators.claims)) : value != ""])
    error_message = "operators.claims must not contain empty values."
  }
}

variable "allowed_prefixes" {
  description = "Key prefixes that a caller may archive; null for every key. The value of the token's claim, of the tag of the caller's IAM role or user, or its ARN selects lists of prefixes in values; default applies to callers without a match. The prefix \"\" allows every key."
  type = object({
    claim         = optional(string)
    principal_tag = optional(string)
    values        = optional(map(list(string)), {})
    default       = optional(list(string), [])
  })
  default = null

  validation {
    condition     = length(jsonencode(var.allowed_prefixes)) <= 3000
    error_message = "allowed_prefixes must be at most 3,000 characters of JSON: a function's environment is limited to 4 KB."
  }
}

variable "cors_allow_origins" {
  description = "Browser origins that may call the API and fetch the archives (CORS); empty for none."
  type        = list(string)
  default     = []
}

variable "throttling_rate_limit" {
  description = "Steady-state request rate of the API per second."
  type        = number
  default     = 50
}

variable "throttling_burst_limit" {
  description = "Burst limit of the API in requests."
  type        = number
  default     = 100
}

# Security and operations

variable "common" {
  description = "Settings that all services share; infra/README.md describes them under One service alone. In a VPC the functions need endpoints for S3, DynamoDB and SQS, or a NAT gateway."
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
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.common.log_level)
    error_message = "log_level must be DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "bucket_kms_key_arns" {
  description = "KMS keys of existing buckets."
  type        = list(string)
  default     = []
}

variable "oldest_message_alarm_seconds" {
  description = "Age of the oldest queued job, in seconds, above which the alarm fires."
  type        = number
  default     = 3600
}
