variable "name" {
  description = "Name of the role, and what the alarms' names begin with."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A role's name has at most 64 letters, digits, hyphens and underscores."
  }
}

variable "source_bucket_name" {
  description = "Bucket whose new objects are copied; versioned."
  type        = string
}

variable "destination_bucket_name" {
  description = "Bucket that the copies go to; versioned, of the same account and region."
  type        = string
}

variable "source_kms_key_arns" {
  description = "KMS keys that encrypt the source bucket's objects."
  type        = list(string)
  default     = []
}

variable "replica_kms_key_arn" {
  description = "KMS key that encrypts the copies; null for keys that S3 manages. Without it, objects that a KMS key encrypts are not copied."
  type        = string
  default     = null
}

variable "latency_alarm_seconds" {
  description = "Seconds by which a copy may be late before the alarm fires."
  type        = number
  default     = 900
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the role; null for none."
  type        = string
  default     = null
}

variable "alarms_enabled" {
  description = "Make the alarms on latency and failures."
  type        = bool
  default     = true
}

variable "alarm_topic_arns" {
  description = "SNS topics told when an alarm fires and when it ends."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags beside the provider's default_tags."
  type        = map(string)
  default     = {}
}
