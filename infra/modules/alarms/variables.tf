variable "name_prefix" {
  description = "What the alarms' names begin with."
  type        = string
}

variable "alarms" {
  description = "Alarms by the end of their name; each fires above its threshold."
  type = map(object({
    description    = string
    namespace      = string
    metric_name    = string
    dimensions     = map(string)
    statistic      = string
    threshold      = number
    period_seconds = optional(number, 300)
  }))

  validation {
    condition     = alltrue([for alarm in values(var.alarms) : contains(["Average", "Maximum", "Minimum", "SampleCount", "Sum"], alarm.statistic)])
    error_message = "An alarm's statistic is Average, Maximum, Minimum, SampleCount or Sum."
  }

  validation {
    condition     = alltrue([for alarm in values(var.alarms) : alarm.period_seconds % 60 == 0 && alarm.period_seconds >= 60 && alarm.period_seconds <= 86400])
    error_message = "An alarm's period_seconds is a multiple of 60, at most 86400 (a day)."
  }
}

variable "alarms_enabled" {
  description = "Make the alarms."
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
