"""Samples: the first rows of a query's result, for a page."""

from dataclasses import replace

from dataset_download.datasets.dataset import Dataset
from dataset_download.exceptions import MemoryLimitError, SortTooLargeError
from dataset_download.planning.plan import make_plan
from dataset_download.query.parameters import Query
from dataset_download.request.resolve import make_reading
from dataset_download.settings import MIB, Settings

from .overview import PREVIEW_AHEAD_BYTES, PREVIEW_COLUMNS, Preview, show_rows

ROWS = 20
_MAX_SCAN_BYTES = 256 * MIB
"""The largest dataset of which a page shows filtered rows, since a filter may have to read all of it."""


def take_sample(settings: Settings, dataset: Dataset, query: Query) -> Preview | None:
    """Return the first rows and columns of a query's result; None if that takes too much time or memory.

    Raises:
        DatasetError: as a download.
    """
    searches = bool(query.filters or query.sort)
    if searches and dataset.total_bytes > _MAX_SCAN_BYTES:
        return None
    limit = ROWS if query.limit is None else min(query.limit, ROWS)
    columns = (query.select or tuple(dataset.schema.names))[:PREVIEW_COLUMNS]
    reading = make_reading(settings)
    if not searches:
        reading = replace(reading, read_ahead_bytes=min(PREVIEW_AHEAD_BYTES, reading.read_ahead_bytes))
    try:
        return show_rows(make_plan(dataset, replace(query, limit=limit, select=columns), reading))
    except (MemoryLimitError, SortTooLargeError):
        return None
