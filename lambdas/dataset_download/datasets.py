"""Datasets in a bucket: which there are, and what Parquet's footers say of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Store:
    """Where datasets are."""

    client: S3Client
    bucket: str
    prefix: str = ""
    """Ends in a slash, or is empty."""


@dataclass(frozen=True)
class Summary:
    """What a listing alone knows of a dataset."""

    name: str
    size: int
    """Bytes of all its files."""
    files: int
    last_modified: datetime


@dataclass(frozen=True)
class DataFile:
    """One Parquet file."""

    key: str
    size: int
    etag: str
    """As S3 gives it, with its quotes."""
    last_modified: datetime


@dataclass(frozen=True)
class Dataset:
    """A dataset with its schema, opened at one point of time: reading it later fails if a file has changed."""

    store: Store
    name: str
    files: tuple[DataFile, ...]
    """In the order of their rows."""
    schema: pa.Schema
    """Of the file, followed by the partition columns of a folder."""
    row_count: int
    total_bytes: int
    partition_columns: tuple[str, ...] = ()

    @property
    def etag(self) -> str:
        """An opaque text (no quotes) that changes whenever any file does."""
        raise NotImplementedError

    @property
    def last_modified(self) -> datetime:
        """When the newest file was written."""
        return max(file.last_modified for file in self.files)

    @property
    def is_single_object(self) -> bool:
        """Whether the one object at `files[0].key` is the dataset as it is (an unfiltered Parquet answer)."""
        return len(self.files) == 1 and not self.partition_columns


def list_datasets(store: Store) -> list[Summary]:
    """Return all datasets by name, from a listing (no object is read)."""
    raise NotImplementedError


def open_dataset(store: Store, name: str) -> Dataset:
    """Read the footers of a dataset's files; those of unchanged files are remembered between calls.

    Raises:
        DatasetNotFoundError: neither `{name}.parquet` nor `{name}/**.parquet` exists.
        CorruptDatasetError: a file is not Parquet, or a folder's files have different schemas.
        SourceUnreadableError: S3 failed for good.
    """
    raise NotImplementedError


def iterate_names(store: Store) -> Iterator[str]:
    """Yield the names alone."""
    return (summary.name for summary in list_datasets(store))
