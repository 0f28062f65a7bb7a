"""A plugin of pytest, and for the fuzzing: both libraries are the ones that were compiled with the sanitizers."""

import os
from pathlib import Path

from hypothesis import settings

from dataset_download.formats import joining
from tests.fuzz.sanitizers import FOLDER
from xapi_etl import library

settings.register_profile("sanitized", deadline=None)
settings.load_profile("sanitized")
joining.LIBRARY = Path(os.environ[FOLDER]) / "join.so"
library.LIBRARY = Path(os.environ[FOLDER]) / "scan.so"
