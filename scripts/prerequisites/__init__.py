"""What the checkout needs of the machine, and where Terraform gets its AWS provider.

`python scripts/doctor.py` checks it, `python scripts/run_terraform.py` runs Terraform accordingly. Nothing is installed
when these run, so they use the standard library only and the syntax of Python 3.8.
"""
