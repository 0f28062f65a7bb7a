variable "name" {
  description = "Name of the table."
  type        = string
}

variable "hash_key" {
  description = "Attribute of the partition key."
  type        = string
}

variable "range_key" {
  description = "Attribute of the sort key; null for none."
  type        = string
  default     = null
}

variable "attributes" {
  description = "Key attributes of the table and the indexes: map of name to type, S, N or B."
  type        = map(string)

  validation {
    condition     = alltrue([for type in values(var.attributes) : contains(["S", "N", "B"], type)])
    error_message = "An attribute's type must be S, N or B."
  }
}

variable "indexes" {
  description = "Global secondary indexes, which project all attributes: map of name to keys."
  type = map(object({
    hash_key  = string
    range_key = optional(string)
  }))
  default  = {}
  nullable = false
}

variable "ttl_attribute" {
  description = "Attribute with the expiry time in epoch seconds; null for no expiry."
  type        = string
  default     = null
}

variable "common" {
  description = "Settings that the caller's resources share: KMS key (null for the key that DynamoDB owns), deletion protection, alarms, and tags."
  type = object({
    kms_key_arn           = optional(string)
    deletion_protection   = optional(bool, false)
    alarms_enabled        = optional(bool, true)
    essential_alarms_only = optional(bool, false)
    alarm_topic_arns      = optional(list(string), [])
    tags                  = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
