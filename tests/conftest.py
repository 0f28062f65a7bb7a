"""A shell that has sourced `.local/outputs.env` runs the same tests as any other.

What it exports (an endpoint, credentials, buckets) would lead clients of moto to the offline stack and give functions
settings that a test wants absent. End-to-end tests read the same values from `.local/outputs.json`.
"""

import os
from pathlib import Path

from lib.settings import SOURCED, read_names

if os.environ.get(SOURCED):
    for _name in read_names(Path(__file__).parents[1] / ".local" / "outputs.env"):
        os.environ.pop(_name, None)
