variable "name" {
  description = "Name of the queue."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.name))
    error_message = "A queue name must have at most 80 letters, digits, hyphens and underscores."
  }
}

variable "source_queue_arns" {
  description = "ARNs of the queues, at most 10, that may redrive to this one; empty for none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.source_queue_arns) <= 10
    error_message = "A dead-letter queue can have at most 10 source queues."
  }
}

variable "retention_seconds" {
  description = "Seconds that a message is kept, counted from its first send."
  type        = number
  default     = 1209600

  validation {
    condition     = var.retention_seconds >= 60 && var.retention_seconds <= 1209600
    error_message = "retention_seconds must be between 60 and 1209600 (14 days)."
  }
}

variable "alarm_description" {
  description = "Description of the alarm; null for a generic one."
  type        = string
  default     = null
}

variable "alarm_periods" {
  description = "Consecutive 5-minute periods with messages before the alarm fires. More than 1 if a consumer empties the queue."
  type        = number
  default     = 1

  validation {
    condition     = var.alarm_periods >= 1
    error_message = "alarm_periods must be at least 1."
  }
}

variable "common" {
  description = "Settings that the caller's resources share: KMS key of the messages (null for keys that SQS manages), whether plain HTTP is denied (false only for an emulator), alarms, and tags."
  type = object({
    kms_key_arn      = optional(string)
    require_tls      = optional(bool, true)
    alarms_enabled   = optional(bool, true)
    alarm_topic_arns = optional(list(string), [])
    tags             = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
