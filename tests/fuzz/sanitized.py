"""A plugin of pytest, and for the fuzzing: the libraries are the ones that were compiled with the sanitizers."""

import os
from pathlib import Path

from hypothesis import settings

from dataset_download.formats import row_joining
from dataset_download.parquet import footer_library, page_library
from tests.fuzz.sanitizers import FOLDER
from xapi_etl.reading import native

settings.register_profile("sanitized", deadline=None)
settings.load_profile("sanitized")
_FOLDER = Path(os.environ[FOLDER])
row_joining.LIBRARY = _FOLDER / "join.so"
footer_library.LIBRARY = _FOLDER / "footer.so"
page_library.LIBRARY = _FOLDER / "page.so"
native.LIBRARY = _FOLDER / "scan.so"
