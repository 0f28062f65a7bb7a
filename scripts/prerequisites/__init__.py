"""Prerequisites of the checkout: programs and space on the machine, and a source of Terraform's AWS provider.

`python scripts/doctor.py` checks it, `python scripts/run_terraform.py` runs Terraform accordingly. Nothing is installed
when these run, so they use the standard library only and the syntax of Python 3.8.
"""
