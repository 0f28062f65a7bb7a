"""Listing of a bucket's datasets by page, with only as many requests as the page needs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dataset_download.exceptions import SourceUnreadableError
from dataset_download.s3.objects import DataFile

from .dataset import SUFFIX, Store, list_folder
from .names import NAME_PATTERN

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

_NAME = re.compile(NAME_PATTERN)
_KEYS = 250
"""Keys per listing request, more than a page of the catalogue shows."""
_BEHIND_FOLDER = "/~"
"""Follows most keys of a folder; the others are left out by name."""


@dataclass(frozen=True)
class ListingEntry:
    """A candidate for a dataset."""

    name: str
    is_folder: bool
    files: tuple[DataFile, ...]

    @property
    def size(self) -> int:
        """Total size of its files in bytes."""
        return sum(file.size for file in self.files)

    @property
    def last_modified(self) -> datetime:
        """Modification time of the newest file."""
        return max(file.last_modified for file in self.files)


def list_names(store: Store, after: str) -> Iterator[tuple[str, DataFile | None]]:
    """Yield names after ``after`` in the order of S3 keys, each with its file, or None for a folder.

    A name that is both a file and a folder denotes the file. Objects with invalid dataset names are left out.

    Raises:
        SourceUnreadableError: S3 failed.
    """
    seen = after
    for name, file in _list_steps(store, after):
        if not seen or _rank(name) > _rank(seen):
            seen = name
            yield name, file


def fill(store: Store, name: str, file: DataFile | None) -> ListingEntry | None:
    """Return a listing entry with all its files; None for a folder without Parquet files.

    Raises:
        SourceUnreadableError: S3 failed.
    """
    files = (file,) if file else list_folder(store, name)
    return ListingEntry(name, file is None, files) if files else None


def _rank(name: str) -> str:
    """Return the sort key that S3 uses: ``a-b.parquet`` comes before ``a.parquet``."""
    return f"{name}."


def _list_steps(store: Store, after: str) -> Iterator[tuple[str, DataFile | None]]:
    pages = store.client.get_paginator("list_objects_v2").paginate(
        Bucket=store.bucket,
        Prefix=store.prefix,
        Delimiter="/",
        StartAfter=f"{store.prefix}{after}{_BEHIND_FOLDER}" if after else "",
        PaginationConfig={"PageSize": _KEYS},
    )
    try:
        for page in pages:
            # Files and folders are each sorted.
            yield from sorted([*_add_files(store, page), *_add_folders(store, page)], key=_sort_key)
    except (ClientError, BotoCoreError) as error:
        raise SourceUnreadableError(f"{store.prefix or store.bucket} cannot be listed: {error}") from error


def _sort_key(step: tuple[str, DataFile | None]) -> tuple[str, bool]:
    name, file = step
    return _rank(name), file is None


def _add_files(store: Store, page: "ListObjectsV2OutputTypeDef") -> Iterator[tuple[str, DataFile | None]]:
    for item in page.get("Contents", []):
        name = item["Key"].removeprefix(store.prefix)
        if name.endswith(SUFFIX) and _can_be(name.removesuffix(SUFFIX)):
            file = DataFile(item["Key"], item["Size"], item["ETag"], item["LastModified"])
            yield name.removesuffix(SUFFIX), file


def _add_folders(store: Store, page: "ListObjectsV2OutputTypeDef") -> Iterator[tuple[str, DataFile | None]]:
    for item in page.get("CommonPrefixes", []):
        name = item["Prefix"].removeprefix(store.prefix).removesuffix("/")
        if _can_be(name):
            yield name, None


def _can_be(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not name.startswith("_")
