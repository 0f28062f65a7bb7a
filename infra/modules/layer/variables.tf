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
  description = "Path of the layer's zip, at most 50 MB."
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
