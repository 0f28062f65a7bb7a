variable "name_prefix" {
  description = "Folder of the saved queries in the console."
  type        = string
}

variable "folder" {
  description = "Path of the folder that holds the *.query files."
  type        = string
}

variable "log_group_names" {
  description = "Log groups that the queries read."
  type        = list(string)
}

variable "queries_enabled" {
  description = "Save the queries. False for an emulator without saved queries."
  type        = bool
  default     = true
}
