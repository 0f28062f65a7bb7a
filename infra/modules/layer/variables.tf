variable "name" {
  description = "Name of the layer."
  type        = string
}

variable "description" {
  description = "What is in the layer."
  type        = string
  default     = null
}

variable "package_path" {
  description = "Path of the layer's zip."
  type        = string
}

variable "runtime" {
  description = "Lambda runtime that the packages were built for."
  type        = string
  default     = "python3.13"
}

variable "architecture" {
  description = "Instruction set that the packages were built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is x86_64 or arm64."
  }
}

variable "artifact_bucket" {
  description = "Bucket that the zip travels through; null for inside the API call, which takes up to 50 MB."
  type        = object({ name = string })
  default     = null
}

variable "shared_with_principals" {
  description = "Accounts that may use the layer, too, by their number."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.shared_with_principals : can(regex("^[0-9]{12}$", principal))])
    error_message = "An account is named by its twelve digits: a layer that anybody may use is made public by intention only, elsewhere."
  }
}
