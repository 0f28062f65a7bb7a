variable "name" {
  description = "Name of the function and of its role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A function's name must have at most 64 letters, digits, hyphens and underscores."
  }
}

variable "description" {
  description = "Description of the function."
  type        = string
}

variable "handler" {
  description = "Dotted path of the handler, as package.module.function."
  type        = string
}

variable "package_path" {
  description = "Path of the function's zip, at most 50 MB."
  type        = string
}

variable "layer_arns" {
  description = "ARNs of layer versions, at most 5; null entries are ignored."
  type        = list(string)
  default     = []

  validation {
    condition     = length(compact(var.layer_arns)) <= 5
    error_message = "Lambda accepts at most 5 layers."
  }
}

variable "publish_versions" {
  description = "Publish a version at each change, as the target of an alias."
  type        = bool
  default     = false
}

variable "runtime" {
  description = "Lambda runtime."
  type        = string
  default     = "python3.13"
}

variable "memory_mb" {
  description = "Memory in MB; CPU and network scale with it."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb must be between 128 and 10240."
  }
}

variable "ephemeral_storage_mb" {
  description = "Size of /tmp in MB."
  type        = number
  default     = 512

  validation {
    condition     = var.ephemeral_storage_mb >= 512 && var.ephemeral_storage_mb <= 10240
    error_message = "ephemeral_storage_mb must be between 512 and 10240."
  }
}

variable "timeout_seconds" {
  description = "Timeout of an invocation in seconds."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds must be between 1 and 900."
  }
}

variable "environment_variables" {
  description = "Environment variables of the function."
  type        = map(string)
  default     = {}
}

variable "policy_documents" {
  description = "JSON policy documents with the function's permissions, in addition to writing its logs."
  type        = list(string)
}

variable "reserved_concurrency" {
  description = "Reserved concurrent executions, which are also the function's maximum; -1 for none."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency >= -1
    error_message = "reserved_concurrency must be -1 (none) or more."
  }
}

variable "async" {
  description = "Retries of asynchronous invocations (from a schedule, for example), and the queue for those that fail after all retries; null if nothing invokes the function asynchronously."
  type = object({
    maximum_event_age_seconds = number
    maximum_retry_attempts    = number
    on_failure_queue_arn      = optional(string)
  })
  default = null

  validation {
    condition     = var.async == null || try(var.async.maximum_event_age_seconds >= 60 && var.async.maximum_event_age_seconds <= 21600, false)
    error_message = "async.maximum_event_age_seconds must be between 60 and 21600 (6 hours)."
  }

  validation {
    condition     = var.async == null || try(contains([0, 1, 2], var.async.maximum_retry_attempts), false)
    error_message = "async.maximum_retry_attempts must be 0, 1 or 2."
  }
}

variable "recursive_loop" {
  description = "Reaction of Lambda's recursion detection when the function has invoked itself about 16 times in a row: Terminate or Allow; null keeps the default, Terminate."
  type        = string
  default     = null

  validation {
    condition     = var.recursive_loop == null || contains(["Allow", "Terminate"], coalesce(var.recursive_loop, "Allow"))
    error_message = "recursive_loop must be Allow or Terminate."
  }
}

variable "duration_alarm_seconds" {
  description = "Duration of an invocation, in seconds, above which the alarm fires; null for 90 % of timeout_seconds. Set it higher for a function that stops itself before its timeout."
  type        = number
  default     = null

  validation {
    condition     = var.duration_alarm_seconds == null || try(var.duration_alarm_seconds > 0 && var.duration_alarm_seconds < var.timeout_seconds, false)
    error_message = "duration_alarm_seconds must be between 0 and timeout_seconds."
  }
}

variable "common" {
  description = "Settings that the caller's resources share: instruction set, permissions boundary of the role, VPC (null for none), KMS key of the environment and the log group (null for keys that AWS manages), X-Ray tracing, log retention, alarms, and tags."
  type = object({
    architecture             = optional(string, "x86_64")
    permissions_boundary_arn = optional(string)
    kms_key_arn              = optional(string)
    tracing_enabled          = optional(bool, false)
    log_retention_days       = optional(number, 14)
    alarms_enabled           = optional(bool, true)
    essential_alarms_only    = optional(bool, false)
    alarm_topic_arns         = optional(list(string), [])
    tags                     = optional(map(string), {})
    vpc_config = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.common.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.common.log_retention_days,
    )
    error_message = "log_retention_days must be a period that CloudWatch Logs supports: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, …"
  }
}
