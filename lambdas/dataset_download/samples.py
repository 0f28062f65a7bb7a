"""The first rows of an answer, for a page."""

import json
from collections.abc import Sequence
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
        lines = b"".join(download).splitlines()  # as bytes: a text may hold U+2028 and what else ends lines of text
    columns = query.select or tuple(dataset.schema.names)
    return Preview(tuple(columns), tuple(_show_row(line, columns) for line in lines))


def _show_row(line: bytes, columns: Sequence[str]) -> tuple[str | None, ...]:
    exact = json.loads(line, parse_float=str, parse_int=str)  # 7.30 is not 7.3 to who wrote it
    loose = json.loads(line)
    return tuple(
        exact[name]
        if exact[name] is None or isinstance(exact[name], str)
        else json.dumps(loose[name], ensure_ascii=False)
        for name in columns
    )
