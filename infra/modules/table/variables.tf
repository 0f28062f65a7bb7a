variable "name" {
  description = "Name of the table."
  type        = string
}

variable "hash_key" {
  description = "Attribute that is the partition key."
  type        = string
}

variable "range_key" {
  description = "Attribute that is the sort key; null for none."
  type        = string
  default     = null
}

variable "attributes" {
  description = "Attributes of the table's and the indexes' keys: name to type, S, N or B."
  type        = map(string)

  validation {
    condition     = alltrue([for type in values(var.attributes) : contains(["S", "N", "B"], type)])
    error_message = "An attribute's type is S, N or B."
  }
}

variable "indexes" {
  description = "Global secondary indexes, which carry whole items: name to keys."
  type = map(object({
    hash_key  = string
    range_key = optional(string)
  }))
  default  = {}
  nullable = false
}

variable "ttl_attribute" {
  description = "Attribute that holds the time, in epoch seconds, after which DynamoDB deletes the item; null for never."
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
