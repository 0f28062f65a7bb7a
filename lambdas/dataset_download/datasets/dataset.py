"""Datasets in a bucket: opening one from its Parquet footers."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError

from dataset_download.exceptions import (
    CorruptDatasetError,
    DatasetNotFoundError,
    MemoryLimitError,
    SourceUnreadableError,
)
from dataset_download.parquet.footer_cache import TAIL_BYTES, read_footer
from dataset_download.parquet.metadata import Footer
from dataset_download.query.parameters import COMPARED_TEXT
from dataset_download.runtime.memory_budget import DEFAULT_MEMORY
from dataset_download.runtime.thread_pools import Pool, get_pool
from dataset_download.s3.objects import DataFile, RangeReader
from dataset_download.s3_get import MissingObjectError, SignedS3Reader

from .partitions import NUMBER, PartitionColumn, PartitionValue, read_path, type_column
from .schema_unification import DifferentTypesError, unite_schemas
from .table_formats import explain, find_table_format, holds_deletes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOOTER_CONCURRENCY = 32
SUFFIX = ".parquet"
MISSING = frozenset({"NoSuchKey", "404"})
EMPTY = frozenset({"InvalidRange", "416"})


@dataclass(frozen=True)
class Store:
    """The bucket and prefix of all datasets."""

    client: "S3Client"
    bucket: str
    prefix: str = ""
    """Empty, or with a trailing slash."""
    signed_reader: SignedS3Reader | None = None
    """The faster reader, tried before boto3."""
    max_footer_bytes: int = DEFAULT_MEMORY.footers
    """The total size of the footers of a dataset's files, in bytes."""

    def make_reader(self) -> RangeReader:
        """Return a reader of objects that counts its requests."""
        return RangeReader(self.client, self.bucket, self.signed_reader)


@dataclass(frozen=True)
class Dataset:
    """A dataset as of one moment: a later read fails if a file has changed."""

    store: Store
    name: str
    files: tuple[DataFile, ...]
    """In row order."""
    footers: tuple[Footer, ...] = field(repr=False)
    """The footers of the files."""
    schema: pa.Schema
    """The columns of the files, followed by the partition columns of a folder."""
    partition_columns: tuple[str, ...] = ()
    partition_values: tuple[tuple[PartitionValue, ...], ...] = ()
    """For each file, the values of the partition columns."""
    partition_numbers: frozenset[str] = frozenset()
    """Partition columns with text that is compared as numbers, such as 01."""

    @cached_property
    def comparison_schema(self) -> pa.Schema:
        """The columns in the types used for comparisons; text compared as numbers is marked by COMPARED_TEXT."""
        schema = self.schema
        for name in self.partition_numbers:
            schema = schema.set(schema.names.index(name), pa.field(name, NUMBER, metadata=COMPARED_TEXT))
        return schema

    @property
    def row_count(self) -> int:
        """Rows of all files."""
        return sum(footer.num_rows for footer in self.footers)

    @property
    def total_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def etag(self) -> str:
        """An opaque text (no quotes) that changes whenever any file does."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.key}\0{file.etag}\0".encode())
        return digest.hexdigest()[:32]

    @property
    def last_modified(self) -> datetime:
        """Modification time of the newest file."""
        return max(file.last_modified for file in self.files)

    @property
    def is_single_object(self) -> bool:
        """Whether the object at `files[0].key` alone is the dataset (and thus its unfiltered Parquet result)."""
        return len(self.files) == 1 and not self.partition_columns


def list_folder(store: Store, name: str) -> tuple[DataFile, ...]:
    """Return the Parquet files in the folder of a dataset, without checking that they form a dataset.

    Raises:
        SourceUnreadableError: S3 failed.
    """
    return tuple(_list_files(store, f"{store.prefix}{name}/"))


def open_dataset(store: Store, name: str) -> Dataset:
    """Return a dataset, opened by reading its footers; footers of unchanged files are cached.

    Raises:
        DatasetNotFoundError: neither `{name}.parquet` nor a Parquet file in `{name}/` exists.
        CorruptDatasetError: a file is not Parquet, or a folder's files have different schemas.
        ObjectChangedError: a file was overwritten between listing and reading it.
        SourceUnreadableError: S3 failed on every attempt.
    """
    opened = _open_tail(store, f"{store.prefix}{name}{SUFFIX}")
    if opened is not None:
        return open_file(store, name, *opened)
    return open_folder(store, name)


def open_file(store: Store, name: str, file: DataFile, tail: bytes = b"") -> Dataset:
    """Return the dataset of one known file; `tail` is the end of the file, if already read.

    Raises:
        CorruptDatasetError, ObjectChangedError, SourceUnreadableError: as `open_dataset`.
    """
    footer = read_footer(store.make_reader(), store.bucket, file, tail, store.max_footer_bytes)
    return Dataset(store, name, (file,), (footer,), _check_names(footer.schema_arrow, file))


def _open_tail(store: Store, key: str) -> tuple[DataFile, bytes] | None:
    """Return an object's description and its end with one request; None if it does not exist."""
    try:
        response = store.signed_reader.get_tail(store.bucket, key, TAIL_BYTES) if store.signed_reader else None
    except MissingObjectError:
        return None
    if response and "ETag" in response.headers and "Last-Modified" in response.headers:
        written = parsedate_to_datetime(response.headers["Last-Modified"])
        return DataFile(key, response.object_size, response.headers["ETag"], written), response.data
    return _open_tail_boto3(store, key)


def _open_tail_boto3(store: Store, key: str) -> tuple[DataFile, bytes] | None:
    """Return the same through boto3, which retries and reports errors."""
    try:
        response = store.client.get_object(Bucket=store.bucket, Key=key, Range=f"bytes=-{TAIL_BYTES}")
        with response["Body"] as body:
            tail = body.read()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in MISSING:
            return None
        if code in EMPTY:
            raise CorruptDatasetError(f"{key} is not a Parquet file: it is empty") from error
        raise SourceUnreadableError(f"{key} cannot be read: {code or error}") from error
    except (BotoCoreError, OSError) as error:
        raise SourceUnreadableError(f"{key} cannot be read: {error}") from error
    size = int(response.get("ContentRange", f"/{len(tail)}").rpartition("/")[2])
    if len(tail) < min(size, TAIL_BYTES):
        tail = b""
    return DataFile(key, size, response["ETag"], response["LastModified"]), tail


def open_folder(store: Store, name: str) -> Dataset:
    """Return the dataset in a folder.

    Raises:
        DatasetNotFoundError, CorruptDatasetError, ObjectChangedError, SourceUnreadableError: as `open_dataset`.
    """
    reader = store.make_reader()
    folder = f"{store.prefix}{name}/"
    files = tuple(_list_table(store, folder))
    if not files:
        raise DatasetNotFoundError(f"There is no dataset {name}.")
    footers = _read_footers(store, reader, name, files)
    for file, footer in zip(files, footers, strict=True):
        if holds_deletes(footer.schema_arrow.metadata):
            raise CorruptDatasetError(explain(file.key, "Apache Iceberg"))
    schema = _unite(files, footers)
    texts = [read_path(file.key.removeprefix(folder)) for file in files]
    columns = _read_partitions(footers, texts, files)
    return Dataset(
        store,
        name,
        files,
        footers,
        _append(schema, columns),
        tuple(column.field.name for column in columns),
        tuple(zip(*(column.values for column in columns), strict=True)) or ((),) * len(files),
        frozenset(column.field.name for column in columns if column.is_number),
    )


def _read_footers(store: Store, reader: RangeReader, name: str, files: Sequence[DataFile]) -> tuple[Footer, ...]:
    """Return the footers of all files.

    Raises:
        MemoryLimitError: the footers together are too large.
    """
    pool, footers, size = get_pool(Pool.OPENING), [], 0
    for start in range(0, len(files), FOOTER_CONCURRENCY):
        some = files[start : start + FOOTER_CONCURRENCY]
        for footer in pool.map(lambda file: read_footer(reader, store.bucket, file, b"", store.max_footer_bytes), some):
            footers.append(footer)
            size += footer.serialized_size
        if size > store.max_footer_bytes:
            raise MemoryLimitError(
                f"{name} has {len(files):,} files, whose footers take more than the {store.max_footer_bytes:,} bytes "
                "that this service's memory allows: write fewer files, or raise the service's memory (MEMORY_MB)."
            )
    return tuple(footers)


def _append(schema: pa.Schema, columns: list[PartitionColumn]) -> pa.Schema:
    for column in columns:
        schema = schema.append(column.field)
    return schema


def _list_table(store: Store, folder: str) -> Iterator[DataFile]:
    """Yield the Parquet files of a dataset's folder; raises if the folder is in a table format."""
    for file in _list_objects(store, folder):
        kind = find_table_format(file.key.removeprefix(folder))
        if kind:
            raise CorruptDatasetError(explain(folder, kind))
        if _is_data(store, file):
            yield file


def _list_files(store: Store, prefix: str) -> Iterator[DataFile]:
    """Yield the Parquet files below a prefix, in key order."""
    return (file for file in _list_objects(store, prefix) if _is_data(store, file))


def _list_objects(store: Store, prefix: str) -> Iterator[DataFile]:
    pages = store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=prefix)
    try:
        for page in pages:
            for item in page.get("Contents", []):
                yield DataFile(item["Key"], item["Size"], item["ETag"], item["LastModified"])
    except (ClientError, BotoCoreError) as error:
        raise SourceUnreadableError(f"{prefix or store.bucket} cannot be listed: {error}") from error


def _is_data(store: Store, file: DataFile) -> bool:
    """Return whether an object is a visible Parquet file; hidden paths have a step that begins with _ or a dot."""
    steps = file.key.removeprefix(store.prefix).split("/")
    return steps[-1].endswith(SUFFIX) and steps[-1] != SUFFIX and not any(map(_is_hidden, steps))


def _is_hidden(step: str) -> bool:
    return not step or (step[0] in "_." and "=" not in step)


def _unite(files: tuple[DataFile, ...], footers: tuple[Footer, ...]) -> pa.Schema:
    """Return the united columns of all files."""
    schemas = [_check_names(footer.schema_arrow, file) for file, footer in zip(files, footers, strict=True)]
    try:
        return unite_schemas(schemas)
    except DifferentTypesError as error:
        name, one, other = error.args
        types = [schemas[number].field(name).type for number in (one, other)]
        raise CorruptDatasetError(
            f"{files[one].key} and {files[other].key} belong to one dataset, but their columns {name} differ: "
            f"{types[0]} and {types[1]} have no type in common"
        ) from error


def _check_names(schema: pa.Schema, file: DataFile) -> pa.Schema:
    double = sorted(name for name, count in Counter(schema.names).items() if count > 1)
    if double:
        raise CorruptDatasetError(f"{file.key} has several columns named {', '.join(double)}")
    return schema


def _read_partitions(
    footers: tuple[Footer, ...], texts: list[dict[str, str | None]], files: tuple[DataFile, ...]
) -> list[PartitionColumn]:
    """Return the partition columns; a file's own column of the same name takes precedence."""
    for file, found in zip(files, texts, strict=True):
        if found.keys() != texts[0].keys():
            raise CorruptDatasetError(f"{file.key} and {files[0].key} are partitioned by different columns")
    names = []
    for name in texts[0]:
        owners = sum(name in footer.schema_arrow.names for footer in footers)
        if owners not in (0, len(footers)):
            raise CorruptDatasetError(
                f"{files[0].key} and the other files of its dataset differ: {name} is a column of some of them, and of "
                "others only their paths tell it"
            )
        if not owners:
            names.append(name)
    return [type_column(name, [found[name] for found in texts]) for name in names]
