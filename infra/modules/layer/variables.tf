variable "name" {
  description = "Name of the layer."
  type        = string
}

variable "description" {
  description = "Description of the layer."
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
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "artifact_bucket" {
  description = "Bucket for uploading the zip; null to send it in the API call, which accepts up to 50 MB."
  type        = object({ name = string })
  default     = null
}

variable "shared_with_principals" {
  description = "IDs of other accounts that may use the layer."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.shared_with_principals : can(regex("^[0-9]{12}$", principal))])
    error_message = "Accounts must be 12-digit IDs: this module does not make a layer public."
  }
}
