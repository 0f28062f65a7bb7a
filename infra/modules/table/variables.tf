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

variable "kms_key_arn" {
  description = "KMS key that encrypts the table; null for the key that DynamoDB owns."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Refuse to delete the table."
  type        = bool
  default     = false
}

variable "alarms_enabled" {
  description = "Make the alarm on throttling."
  type        = bool
  default     = true
}

variable "alarm_topic_arns" {
  description = "SNS topics told when the alarm fires and when it ends."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags beside the provider's default_tags."
  type        = map(string)
  default     = {}
}
