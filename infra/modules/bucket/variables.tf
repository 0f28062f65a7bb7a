variable "bucket_name" {
  description = "Globally unique name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "A bucket name must have 3 to 63 lower-case letters, digits, dots and hyphens, and start and end with a letter or digit."
  }
}

variable "noncurrent_expiration_days" {
  description = "Days that the old version of a replaced or deleted object is kept."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_expiration_days >= 1 && floor(var.noncurrent_expiration_days) == var.noncurrent_expiration_days
    error_message = "noncurrent_expiration_days must be a whole number of at least 1."
  }
}

variable "expirations" {
  description = "Expiration of objects by age: map of rule name to days, and to the prefix or the tag (key and value) of the objects."
  type = map(object({
    prefix = optional(string)
    tag    = optional(object({ key = string, value = string }))
    days   = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for expiration in values(var.expirations) : (expiration.prefix == null) != (expiration.tag == null)])
    error_message = "An expiration must have either a prefix or a tag."
  }
}

variable "cors_allow_origins" {
  description = "Browser origins that may read objects (CORS); empty for none."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "transitions" {
  description = "Transitions of objects to a cheaper storage class by age: map of rule name to prefix, days and class."
  type = map(object({
    prefix        = optional(string, "")
    days          = number
    storage_class = string
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for transition in values(var.transitions) :
      contains(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], transition.storage_class)
    ])
    error_message = "A transition's storage_class must be STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER or DEEP_ARCHIVE."
  }
}

variable "object_lock" {
  description = "Object lock retention of each object in days: GOVERNANCE (privileged users may lift it) or COMPLIANCE (nobody may); null for none. It cannot be removed."
  type = object({
    mode = string
    days = number
  })
  default = null

  validation {
    condition     = var.object_lock == null || try(contains(["GOVERNANCE", "COMPLIANCE"], var.object_lock.mode) && var.object_lock.days >= 1, false)
    error_message = "object_lock.mode must be GOVERNANCE or COMPLIANCE, and object_lock.days at least 1."
  }
}

variable "policy_documents" {
  description = "JSON policy documents to merge into the bucket policy, in addition to the one that requires TLS."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "common" {
  description = "Settings that the caller's resources share: KMS key of the objects (null for keys that S3 manages), whether force_destroy deletes objects with the bucket, days before an incomplete multipart upload is aborted, whether plain HTTP is denied (false only for an emulator), and tags."
  type = object({
    kms_key_arn             = optional(string)
    force_destroy           = optional(bool, false)
    abort_upload_after_days = optional(number, 2)
    require_tls             = optional(bool, true)
    tags                    = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.common.abort_upload_after_days >= 1 && floor(var.common.abort_upload_after_days) == var.common.abort_upload_after_days
    error_message = "abort_upload_after_days must be a whole number of at least 1."
  }
}
