"""What there is: all datasets, with what their footers say."""

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
"""Datasets of one page: each may cost a footer's reading."""
_CACHE_COLUMNS = 100_000
"""Of all datasets of which facts are remembered."""
_FIXED_COST = 20
"""What a dataset without columns counts as, in columns."""


@dataclass(frozen=True)
class DatasetFacts:
    """What the catalogue says of a dataset that was opened: little, since there may be many."""

    title: str
    rows: int
    columns: int
    schema: str
    """The columns with their types, as JSON."""


@dataclass(frozen=True)
class Entry:
    """One dataset; what cannot be read is listed all the same, with the reason."""

    listed: ListingEntry
    facts: DatasetFacts | None
    error: str = ""

    @property
    def title(self) -> str:
        """What the Parquet file calls itself, or its name as words."""
        return self.facts.title if self.facts else make_title(self.listed.name, None)

    def as_json(self, base_url: str) -> str:
        """Return the entry of ``/datasets.json``; addresses are relative where the service's own is not known."""
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
    """A page of the catalogue; ``following`` is where the next one begins after, None on the last."""

    entries: list[Entry]
    following: str | None


def make_title(name: str, dataset: Dataset | None) -> str:
    """Return the ``title`` in the Parquet file's own metadata, or the dataset's name as words."""
    metadata = (dataset.schema.metadata or {}) if dataset else {}
    given: bytes = metadata.get(b"title", b"")
    words = name.replace("-", " ").replace("_", " ").strip()
    return given.decode(errors="replace").strip() or (words[:1].upper() + words[1:]) or name


class FactsCache:
    """Facts by the objects they were read from: a changed object has another ETag, so they are never out of date."""

    def __init__(self, most_columns: int = _CACHE_COLUMNS) -> None:
        self._most = most_columns
        self._lock = threading.Lock()
        self._facts: OrderedDict[object, DatasetFacts] = OrderedDict()
        self._columns = 0

    def get(self, key: object) -> DatasetFacts | None:
        """Return remembered facts."""
        with self._lock:
            if key in self._facts:
                self._facts.move_to_end(key)
            return self._facts.get(key)

    def put(self, key: object, facts: DatasetFacts) -> None:
        """Remember facts; those unused for longest are forgotten."""
        with self._lock:
            if key not in self._facts:
                self._facts[key] = facts
                self._columns += facts.columns + _FIXED_COST
            while self._columns > self._most and len(self._facts) > 1:
                _, oldest = self._facts.popitem(last=False)
                self._columns -= oldest.columns + _FIXED_COST


@cache
def shared_facts() -> FactsCache:
    """Return the cache of this process."""
    return FactsCache()


@cache
def _shared_pages() -> SingleFlight[Page]:
    return SingleFlight()


def list_page(store: Store, after: str) -> Page:
    """Return the datasets whose names come after ``after``, at most a page of them.

    The bucket is listed each time, as far as the page reaches; of objects that have not changed nothing else is read.

    Raises:
        SourceUnreadableError: S3 failed for good.
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
    except DatasetNotFoundError:  # deleted since it was listed
        return None
    except (SourceError, MemoryLimitError) as error:  # this one; where S3 fails altogether there is no listing either
        return Entry(listed, None, str(error))


def _find_facts(dataset: Dataset) -> DatasetFacts:
    columns = [{"name": field.name, "type": str(field.type)} for field in dataset.schema]
    return DatasetFacts(make_title(dataset.name, dataset), dataset.row_count, len(columns), _dump(columns))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
