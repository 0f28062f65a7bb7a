"""The catalogue: pages of all datasets, with the facts from their footers."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from dataset_download.datasets.dataset import Dataset, Store, open_file, open_folder
from dataset_download.datasets.listing import ListingEntry, fill, list_names
from dataset_download.exceptions import DatasetNotFoundError, MemoryLimitError, SourceError
from dataset_download.formats.format import Format
from dataset_download.request.headers import format_iso
from dataset_download.runtime.single_flight import SingleFlight
from dataset_download.runtime.thread_pools import Pool, get_pool
from dataset_download.s3.objects import DataFile

PAGE_ENTRIES = 100
"""Datasets per page; each may need a read of its footer."""
_CACHE_COLUMNS = 100_000
"""Total columns of the datasets whose facts are cached."""
_FIXED_COST = 20
"""Cost of a dataset without columns, in columns."""


@dataclass(frozen=True)
class DatasetFacts:
    """The cached facts of a dataset, kept small since there may be many datasets."""

    title: str
    rows: int
    columns: int
    schema: str
    """Columns and their types as JSON."""


@dataclass(frozen=True)
class Entry:
    """A dataset of the catalogue; an unreadable dataset is listed with the reason."""

    listed: ListingEntry
    facts: DatasetFacts | None
    error: str = ""

    @property
    def title(self) -> str:
        """The title in the Parquet file's metadata, or the dataset's name as words."""
        return self.facts.title if self.facts else make_title(self.listed.name, None)

    def as_json(self, base_url: str) -> str:
        """Return the entry for ``/datasets.json``; URLs are relative if the service's base URL is unknown."""
        name, base_url = self.listed.name, base_url or "."
        first = {"name": name, "title": self.title, "rows": self.facts.rows if self.facts else None}
        last: dict[str, Any] = {
            "sizeBytes": self.listed.size,
            "files": len(self.listed.files),
            "updated": format_iso(self.listed.last_modified),
            "page": f"{base_url}/{name}",
            "formats": {str(format_): f"{base_url}/{name}.{format_}" for format_ in Format},
        }
        if self.error:
            last["error"] = self.error
        schema = self.facts.schema if self.facts else "null"
        return f'{_dump(first)[:-1]}, "columns": {schema}, {_dump(last)[1:]}'


@dataclass(frozen=True)
class Page:
    """A page of the catalogue; ``following`` is the ``after`` of the next page, None on the last."""

    entries: list[Entry]
    following: str | None


def make_title(name: str, dataset: Dataset | None) -> str:
    """Return the ``title`` in the Parquet file's own metadata, or the dataset's name as words."""
    metadata = (dataset.schema.metadata or {}) if dataset else {}
    given: bytes = metadata.get(b"title", b"")
    words = name.replace("-", " ").replace("_", " ").strip()
    return given.decode(errors="replace").strip() or (words[:1].upper() + words[1:]) or name


class FactsCache:
    """An LRU cache of facts by object and ETag; a changed object has a new ETag, so entries are never stale."""

    def __init__(self, most_columns: int = _CACHE_COLUMNS) -> None:
        self._most = most_columns
        self._lock = threading.Lock()
        self._facts: OrderedDict[object, DatasetFacts] = OrderedDict()
        self._columns = 0

    def get(self, key: object) -> DatasetFacts | None:
        """Return cached facts, or None."""
        with self._lock:
            if key in self._facts:
                self._facts.move_to_end(key)
            return self._facts.get(key)

    def put(self, key: object, facts: DatasetFacts) -> None:
        """Cache facts and evict the least recently used ones."""
        with self._lock:
            if key not in self._facts:
                self._facts[key] = facts
                self._columns += facts.columns + _FIXED_COST
            while self._columns > self._most and len(self._facts) > 1:
                _, oldest = self._facts.popitem(last=False)
                self._columns -= oldest.columns + _FIXED_COST


@cache
def shared_facts() -> FactsCache:
    """Return the process's cache."""
    return FactsCache()


@cache
def _shared_pages() -> SingleFlight[Page]:
    return SingleFlight()


def list_page(store: Store, after: str) -> Page:
    """Return one page of the datasets whose names come after ``after``.

    Each call lists the bucket as far as the page reaches. Unchanged objects are not read again.

    Raises:
        SourceUnreadableError: S3 failed on every attempt.
    """
    key = (id(store.client), store.bucket, store.prefix, after)
    return _shared_pages().do(key, lambda: _make_page(store, after))


def _make_page(store: Store, after: str) -> Page:
    names = list_names(store, after)
    shown = list(islice(names, PAGE_ENTRIES))
    is_last = next(names, None) is None
    entries = get_pool(Pool.LISTING).map(lambda found: _open(store, *found), shown)
    return Page([entry for entry in entries if entry], None if is_last else shown[-1][0])


def _open(store: Store, name: str, file: DataFile | None) -> Entry | None:
    listed = fill(store, name, file)
    if listed is None:
        return None
    key = (store.bucket, name, tuple((each.key, each.etag) for each in listed.files))
    facts = shared_facts().get(key)
    try:
        if facts is None:
            facts = _find_facts(open_folder(store, name) if file is None else open_file(store, name, file))
            shared_facts().put(key, facts)
        return Entry(listed, facts)
    except DatasetNotFoundError:  # deleted after the listing
        return None
    except (SourceError, MemoryLimitError) as error:  # of this dataset; if S3 is down, the listing fails as well
        return Entry(listed, None, str(error))


def _find_facts(dataset: Dataset) -> DatasetFacts:
    columns = [{"name": field.name, "type": str(field.type)} for field in dataset.schema]
    return DatasetFacts(make_title(dataset.name, dataset), dataset.row_count, len(columns), _dump(columns))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
