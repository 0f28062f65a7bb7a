variable "name" {
  description = "Name of the distribution's resources; unique in the account."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must have at most 64 letters, digits, hyphens and underscores."
  }
}

variable "function_name" {
  description = "Name of the function that the URL invokes."
  type        = string
}

variable "function_qualifier" {
  description = "Alias that the URL invokes; null for the function itself."
  type        = string
  default     = null
}

variable "origin_domain_name" {
  description = "Domain of the Function URL, whose authorization is AWS_IAM."
  type        = string
}

variable "origin_timeout_seconds" {
  description = "Seconds that CloudFront waits for data from the origin: 1 to 60."
  type        = number
  default     = 60

  validation {
    condition     = var.origin_timeout_seconds >= 1 && var.origin_timeout_seconds <= 60
    error_message = "origin_timeout_seconds must be between 1 and 60; a higher value needs a quota increase."
  }
}

variable "aliases" {
  description = "Alternate domain names; each needs a DNS record that points to the distribution."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "ARN of the ACM certificate for the aliases, in us-east-1; null for CloudFront's own domain."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:acm:us-east-1:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate in us-east-1: CloudFront accepts no others."
  }
}

variable "web_acl_arn" {
  description = "ARN of a WAF web ACL (version 2) with the scope CLOUDFRONT, in us-east-1; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:[a-z-]+:wafv2:us-east-1:[0-9]{12}:global/webacl/", var.web_acl_arn))
    error_message = "web_acl_arn must be the ARN of a web ACL with the scope CLOUDFRONT, in us-east-1."
  }
}

variable "geo_restriction" {
  description = "Countries (ISO 3166, two letters) to allow (whitelist) or to block (blacklist); type none for no restriction."
  type = object({
    type      = optional(string, "none")
    countries = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["none", "whitelist", "blacklist"], var.geo_restriction.type) && (var.geo_restriction.type == "none") == (length(var.geo_restriction.countries) == 0)
    error_message = "geo_restriction.type must be none, without countries, or whitelist or blacklist, with countries."
  }
}

variable "default_ttl_seconds" {
  description = "Cache lifetime, in seconds, of responses without one."
  type        = number
  default     = 300
}

variable "max_ttl_seconds" {
  description = "Maximum cache lifetime in seconds."
  type        = number
  default     = 86400
}

variable "error_ttl_seconds" {
  description = "Cache lifetime of errors in seconds."
  type        = number
  default     = 5

  validation {
    condition     = var.error_ttl_seconds >= 0 && var.error_ttl_seconds <= 300
    error_message = "error_ttl_seconds must be between 0 and 300, so that a new dataset is not reported as missing for long."
  }
}

variable "price_class" {
  description = "CloudFront edge locations: PriceClass_100 (North America, Europe), PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "log_bucket_domain_name" {
  description = "Bucket of the access logs, as <name>.s3.amazonaws.com; null for none. It needs ACLs."
  type        = string
  default     = null
}

variable "error_alarm_percent" {
  description = "Percentage of 5xx responses above which the alarm fires."
  type        = number
  default     = 5
}

variable "alarms_enabled" {
  description = "Create the alarm."
  type        = bool
  default     = true
}

variable "alarm_topic_arns" {
  description = "SNS topics in us-east-1 that the alarm notifies when it fires and when it ends."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags in addition to the provider's default_tags."
  type        = map(string)
  default     = {}
}
