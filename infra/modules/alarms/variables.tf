variable "name_prefix" {
  description = "Prefix of the alarms' names."
  type        = string
}

variable "alarms" {
  description = "Map of name suffix to alarm; each fires above its threshold. An alarm has either a metric_name, or an expression over metrics (id to name) of the same namespace and dimensions. runbook is the section of docs/runbook.md."
  type = map(object({
    description    = string
    runbook        = string
    namespace      = string
    metric_name    = optional(string)
    expression     = optional(string)
    metrics        = optional(map(string), {})
    dimensions     = map(string)
    statistic      = string
    threshold      = number
    period_seconds = optional(number, 300)
    periods        = optional(number, 1)
  }))

  validation {
    condition     = alltrue([for alarm in values(var.alarms) : contains(["Average", "Maximum", "Minimum", "SampleCount", "Sum"], alarm.statistic)])
    error_message = "An alarm's statistic must be Average, Maximum, Minimum, SampleCount or Sum."
  }

  validation {
    condition     = alltrue([for alarm in values(var.alarms) : alarm.period_seconds % 60 == 0 && alarm.period_seconds >= 60 && alarm.period_seconds <= 86400])
    error_message = "An alarm's period_seconds must be a multiple of 60, at most 86400 (a day)."
  }

  validation {
    condition     = alltrue([for alarm in values(var.alarms) : (alarm.metric_name == null) != (alarm.expression == null) && (alarm.expression == null) == (length(alarm.metrics) == 0)])
    error_message = "An alarm must have either a metric_name, or an expression and its metrics."
  }
}

variable "common" {
  description = "Settings that the caller's resources share: whether alarms are created, the SNS topics they notify, and tags."
  type = object({
    alarms_enabled        = optional(bool, true)
    essential_alarms_only = optional(bool, false)
    alarm_topic_arns      = optional(list(string), [])
    tags                  = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
