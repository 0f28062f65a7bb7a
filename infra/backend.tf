# Where the state is kept. As it stands: on this machine, one file per workspace under terraform.tfstate.d/.
# For a team, make a versioned, encrypted bucket for it and uncomment this. The lock is an object beside the
# state (S3's conditional writes, Terraform 1.10 or newer), so no DynamoDB table is needed.
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
