# Location of the state. By default it is local, one file per workspace under terraform.tfstate.d/. For a team, create a
# versioned, encrypted bucket and uncomment this block. The lock is an object next to the state (S3 conditional writes,
# Terraform 1.10 or newer), so no DynamoDB table is needed.
#
# terraform {
#   backend "s3" {
#     bucket       = "your-terraform-state"
#     key          = "sluice/terraform.tfstate"
#     region       = "us-east-1"
#     encrypt      = true
#     use_lockfile = true
#   }
# }
