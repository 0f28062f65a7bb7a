variable "name" {
  description = "Name of the dashboard."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.name))
    error_message = "A dashboard's name must have at most 255 letters, digits, hyphens and underscores."
  }
}

variable "services" {
  description = "Rows of the dashboard, in order, one per service: title, functions, queues, dead-letter queues, alarms, and widgets of the service. A widget may specify another region than the dashboard's."
  type = list(object({
    title              = string
    functions          = list(string)
    queues             = optional(list(string), [])
    dead_letter_queues = optional(list(string), [])
    alarm_arns         = optional(list(string), [])
    widgets = optional(list(object({
      title          = string
      stat           = optional(string, "Sum")
      period_seconds = optional(number, 300)
      region         = optional(string)
      metrics = list(object({
        namespace  = string
        name       = string
        dimensions = map(string)
      }))
    })), [])
  }))

  validation {
    condition     = alltrue([for widget in flatten(var.services[*].widgets) : length(widget.metrics) > 0])
    error_message = "A widget must show at least one metric."
  }
}

variable "dashboard_enabled" {
  description = "Create the dashboard."
  type        = bool
  default     = true
}
