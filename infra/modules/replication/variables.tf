variable "name" {
  description = "Name of the role and prefix of the alarms' names."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A role's name must have at most 64 letters, digits, hyphens and underscores."
  }
}

variable "source_bucket_name" {
  description = "Bucket whose new objects are replicated; it must be versioned."
  type        = string
}

variable "destination_bucket_name" {
  description = "Bucket of the replicas; it must be versioned and in the same account and region."
  type        = string
}

variable "source_kms_key_arns" {
  description = "KMS keys that encrypt the source bucket's objects."
  type        = list(string)
  default     = []
}

variable "replica_kms_key_arn" {
  description = "KMS key of the replicas; null for keys that S3 manages. Without it, objects that a KMS key encrypts are not replicated."
  type        = string
  default     = null
}

variable "latency_alarm_seconds" {
  description = "Replication latency, in seconds, above which the alarm fires."
  type        = number
  default     = 900
}

variable "common" {
  description = "Settings that the caller's resources share: permissions boundary of the role, alarms, and tags."
  type = object({
    permissions_boundary_arn = optional(string)
    alarms_enabled           = optional(bool, true)
    essential_alarms_only    = optional(bool, false)
    alarm_topic_arns         = optional(list(string), [])
    tags                     = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
