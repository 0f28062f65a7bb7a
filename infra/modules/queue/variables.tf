variable "name" {
  description = "Name of the queue; the dead-letter queue has the suffix -dlq."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,76}$", var.name))
    error_message = "A queue name must have at most 76 letters, digits, hyphens and underscores (80 with -dlq)."
  }
}

variable "visibility_timeout_seconds" {
  description = "Visibility timeout in seconds. AWS rejects an event source mapping whose function has a longer timeout."
  type        = number

  validation {
    condition     = var.visibility_timeout_seconds >= 0 && var.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds must be between 0 and 43200 (12 hours)."
  }
}

variable "retention_seconds" {
  description = "Seconds that a message is kept, counted from its first send, also in the dead-letter queue."
  type        = number
  default     = 345600

  validation {
    condition     = var.retention_seconds >= 60 && var.retention_seconds <= 1209600
    error_message = "retention_seconds must be between 60 and 1209600 (14 days)."
  }
}

variable "dlq_retention_seconds" {
  description = "Seconds that the dead-letter queue keeps a message, counted from its first send: longer than retention_seconds."
  type        = number
  default     = 1209600

  validation {
    condition     = var.dlq_retention_seconds >= 60 && var.dlq_retention_seconds <= 1209600
    error_message = "dlq_retention_seconds must be between 60 and 1209600 (14 days)."
  }
}

variable "max_receive_count" {
  description = "Receives after which a message moves to the dead-letter queue."
  type        = number
  default     = 3

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count must be between 1 and 1000."
  }
}

variable "policy_documents" {
  description = "JSON policy documents to merge into the queue policy, in addition to the one that requires TLS. They refer to the queue by an ARN built from its name."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "dlq_alarm_periods" {
  description = "Consecutive 5-minute periods with dead letters before the alarm fires. More than 1 if a consumer empties the queue."
  type        = number
  default     = 1

  validation {
    condition     = var.dlq_alarm_periods >= 1
    error_message = "dlq_alarm_periods must be at least 1."
  }
}

variable "oldest_message_alarm_seconds" {
  description = "Age of the oldest message, in seconds, above which the alarm fires."
  type        = number
  default     = 3600
}

variable "common" {
  description = "Settings that the caller's resources share: KMS key of the messages (null for keys that SQS manages), whether plain HTTP is denied (false only for an emulator), alarms, and tags. essential_alarms_only omits the alarm on waiting messages."
  type = object({
    kms_key_arn           = optional(string)
    require_tls           = optional(bool, true)
    alarms_enabled        = optional(bool, true)
    essential_alarms_only = optional(bool, false)
    alarm_topic_arns      = optional(list(string), [])
    tags                  = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
