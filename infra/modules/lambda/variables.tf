variable "name" {
  description = "Name of the function and of its role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A function's name has at most 64 letters, digits, hyphens and underscores."
  }
}

variable "description" {
  description = "What the function does."
  type        = string
}

variable "handler" {
  description = "Python path of the handler, as package.module.function."
  type        = string
}

variable "package_path" {
  description = "Path of the function's zip, at most 50 MB."
  type        = string
}

variable "layer_arns" {
  description = "Layer versions, at most 5; null stands for none."
  type        = list(string)
  default     = []

  validation {
    condition     = length(compact(var.layer_arns)) <= 5
    error_message = "Lambda takes at most 5 layers."
  }
}

variable "publish_versions" {
  description = "Publish a version at each change, for an alias to point to."
  type        = bool
  default     = false
}

variable "runtime" {
  description = "Lambda runtime."
  type        = string
  default     = "python3.13"
}

variable "memory_mb" {
  description = "Memory in MB; CPU and network grow with it."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb is between 128 and 10240."
  }
}

variable "ephemeral_storage_mb" {
  description = "Size of /tmp in MB."
  type        = number
  default     = 512

  validation {
    condition     = var.ephemeral_storage_mb >= 512 && var.ephemeral_storage_mb <= 10240
    error_message = "ephemeral_storage_mb is between 512 and 10240."
  }
}

variable "timeout_seconds" {
  description = "Seconds that one invocation may take."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds is between 1 and 900."
  }
}

variable "environment_variables" {
  description = "Environment of the function."
  type        = map(string)
  default     = {}
}

variable "policy_documents" {
  description = "JSON policy documents with what the function may do, beside writing its logs."
  type        = list(string)
}

variable "reserved_concurrency" {
  description = "Concurrent executions reserved for, and at most given to, the function; -1 for no reservation."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency >= -1
    error_message = "reserved_concurrency is -1 (none) or more."
  }
}

variable "async" {
  description = "How asynchronous invocations (from a schedule, say) are repeated, and the queue that is told of those which failed all the same; null where nothing invokes the function so."
  type = object({
    maximum_event_age_seconds = number
    maximum_retry_attempts    = number
    on_failure_queue_arn      = optional(string)
  })
  default = null

  validation {
    condition     = var.async == null || try(var.async.maximum_event_age_seconds >= 60 && var.async.maximum_event_age_seconds <= 21600, false)
    error_message = "async.maximum_event_age_seconds is between 60 and 21600 (6 hours)."
  }

  validation {
    condition     = var.async == null || try(contains([0, 1, 2], var.async.maximum_retry_attempts), false)
    error_message = "async.maximum_retry_attempts is 0, 1 or 2."
  }
}

variable "recursive_loop" {
  description = "What Lambda does when the function has invoked itself about 16 times in a row: Terminate or Allow; null leaves it at what it is, Terminate."
  type        = string
  default     = null

  validation {
    condition     = var.recursive_loop == null || contains(["Allow", "Terminate"], coalesce(var.recursive_loop, "Allow"))
    error_message = "recursive_loop is Allow or Terminate."
  }
}

variable "duration_alarm_seconds" {
  description = "Duration of an invocation, in seconds, above which the alarm fires; null for 90 % of timeout_seconds. Later for a function that stops by itself before its timeout."
  type        = number
  default     = null

  validation {
    condition     = var.duration_alarm_seconds == null || try(var.duration_alarm_seconds > 0 && var.duration_alarm_seconds < var.timeout_seconds, false)
    error_message = "duration_alarm_seconds is between 0 and timeout_seconds."
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
    error_message = "architecture is x86_64 or arm64."
  }

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.common.log_retention_days,
    )
    error_message = "log_retention_days is one of the periods that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, …"
  }
}
