variable "name" {
  description = "Name of the API."
  type        = string
}

variable "description" {
  description = "Description of the API."
  type        = string
}

variable "functions" {
  description = "Functions behind the API: map of short name to the function's name and invoke ARN."
  type = map(object({
    name       = string
    invoke_arn = string
  }))
}

variable "routes" {
  description = "Map of route key, such as \"GET /things/{id}\" or \"$default\", to the short name of a function."
  type        = map(string)

  validation {
    condition     = contains(keys(var.routes), "$default")
    error_message = "A $default route is required, so that the service itself responds to unknown paths."
  }
}

variable "auth" {
  description = "Authorization: AWS_IAM (signed requests of principals with execute-api:Invoke), JWT, or NONE (public)."
  type        = string
  default     = "AWS_IAM"

  validation {
    condition     = contains(["AWS_IAM", "JWT", "NONE"], var.auth)
    error_message = "auth must be AWS_IAM, JWT or NONE."
  }
}

variable "jwt" {
  description = "Issuer and audiences of the tokens, for auth = JWT."
  type = object({
    issuer   = string
    audience = list(string)
  })
  default = null
}

variable "cors" {
  description = "CORS configuration for browser origins; null for none."
  type = object({
    allow_origins   = list(string)
    allow_methods   = optional(list(string), ["GET", "POST", "DELETE"])
    allow_headers   = optional(list(string), ["authorization", "content-type", "idempotency-key", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"])
    expose_headers  = optional(list(string), ["location", "retry-after"])
    max_age_seconds = optional(number, 3600)
  })
  default = null
}

variable "throttling_rate_limit" {
  description = "Steady-state request rate of the API per second."
  type        = number
  default     = 50

  validation {
    condition     = var.throttling_rate_limit > 0
    error_message = "throttling_rate_limit must be above 0."
  }
}

variable "throttling_burst_limit" {
  description = "Burst limit of the API in requests."
  type        = number
  default     = 100

  validation {
    condition     = var.throttling_burst_limit >= 1 && floor(var.throttling_burst_limit) == var.throttling_burst_limit
    error_message = "throttling_burst_limit must be a whole number of at least 1."
  }
}

variable "error_alarm_percent" {
  description = "Percentage of 5xx responses above which the alarm fires."
  type        = number
  default     = 5

  validation {
    condition     = var.error_alarm_percent > 0 && var.error_alarm_percent < 100
    error_message = "error_alarm_percent must be between 0 and 100."
  }
}

variable "common" {
  description = "Settings that the caller's resources share: retention and KMS key of the access log (null for the key that CloudWatch Logs owns), alarms, and tags."
  type = object({
    log_retention_days    = optional(number, 14)
    kms_key_arn           = optional(string)
    alarms_enabled        = optional(bool, true)
    essential_alarms_only = optional(bool, false)
    alarm_topic_arns      = optional(list(string), [])
    tags                  = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
