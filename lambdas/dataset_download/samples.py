"""The first rows of an answer, for a page."""

import json
from dataclasses import replace

from .asking import make_reading
from .datasets import Dataset
from .download import start_download
from .formats import Format
from .overview import Preview, preview
from .plan import make_plan
from .query import Query
from .settings import MIB, Settings

ROWS = 20
_LARGEST_SCAN = 256 * MIB
"""A filter may have to read all of a dataset for its first rows: of a larger one it is not tried for a page."""


def take_sample(settings: Settings, dataset: Dataset, query: Query) -> Preview | None:
    """Return the first rows of a query's answer; None where finding them could take long.

    Raises:
        DatasetError: as a download.
    """
    if query.is_full:
        return preview(dataset, ROWS)
    if (query.filters or query.sort) and dataset.total_bytes > _LARGEST_SCAN:
        return None
    limit = ROWS if query.limit is None else min(query.limit, ROWS)
    plan = make_plan(dataset, replace(query, limit=limit), make_reading(settings))
    with start_download(plan, Format.JSONL) as download:
        lines = b"".join(download).decode().splitlines()
    columns = query.select or tuple(dataset.schema.names)
    rows = [json.loads(line) for line in lines]
    return Preview(tuple(columns), tuple(tuple(_show(row.get(name)) for name in columns) for row in rows))


def _show(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
