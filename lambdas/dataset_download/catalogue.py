"""What there is: all datasets, with what their footers say."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .datasets import Dataset, Store, Summary, list_datasets, open_dataset
from .exceptions import DatasetNotFoundError, SourceError
from .formats import Format
from .headers import format_iso
from .patterns import NAME_PATTERN

PAGE_ENTRIES = 100
"""Datasets of one page: each may cost a footer's reading."""
_READERS = 8


@dataclass(frozen=True)
class Entry:
    """One dataset; what cannot be read is listed all the same, with the reason."""

    summary: Summary
    dataset: Dataset | None
    error: str = ""

    @property
    def title(self) -> str:
        """What the Parquet file calls itself, or its name as words."""
        return make_title(self.summary.name, self.dataset)

    def as_dict(self, base_url: str) -> dict[str, Any]:
        """Return the entry of ``/datasets.json``; addresses are relative where the service's own is not known."""
        name, base_url = self.summary.name, base_url or "."
        entry: dict[str, Any] = {
            "name": name,
            "title": self.title,
            "rows": self.dataset.row_count if self.dataset else None,
            "columns": _list_columns(self.dataset) if self.dataset else None,
            "sizeBytes": self.summary.size,
            "files": self.summary.files,
            "updated": format_iso(self.summary.last_modified),
            "page": f"{base_url}/{name}",
            "formats": {str(format_): f"{base_url}/{name}.{format_}" for format_ in Format},
        }
        return {**entry, "error": self.error} if self.error else entry


@dataclass(frozen=True)
class Page:
    """A page of the catalogue; ``following`` is where the next one begins after, None on the last."""

    entries: list[Entry]
    following: str | None


def make_title(name: str, dataset: Dataset | None) -> str:
    """Return the ``title`` in the Parquet file's own metadata, or the dataset's name as words."""
    metadata = (dataset.schema.metadata or {}) if dataset else {}
    given: bytes = metadata.get(b"title", b"")
    words = name.replace("-", " ").replace("_", " ").strip()
    return given.decode(errors="replace").strip() or (words[:1].upper() + words[1:]) or name


def list_page(store: Store, after: str) -> Page:
    """Return the datasets whose names come after ``after``, at most a page of them.

    Raises:
        SourceUnreadableError: S3 failed for good.
    """
    # Objects of other names are no datasets: nobody could ask for them.
    summaries = [
        found for found in list_datasets(store) if found.name > after and re.fullmatch(NAME_PATTERN, found.name)
    ]
    shown = summaries[:PAGE_ENTRIES]
    with ThreadPoolExecutor(_READERS) as pool:
        entries = [entry for entry in pool.map(lambda summary: _open(store, summary), shown) if entry]
    return Page(entries, shown[-1].name if len(summaries) > PAGE_ENTRIES else None)


def _open(store: Store, summary: Summary) -> Entry | None:
    try:
        return Entry(summary, open_dataset(store, summary.name))
    except DatasetNotFoundError:  # deleted since it was listed
        return None
    except SourceError as error:  # this one; where S3 fails altogether there is no listing either
        return Entry(summary, None, str(error))


def _list_columns(dataset: Dataset) -> list[dict[str, str]]:
    return [{"name": field.name, "type": str(field.type)} for field in dataset.schema]
