"""Datasets in a bucket: which there are, and what Parquet's footers say of one."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError

from .exceptions import CorruptDatasetError, DatasetNotFoundError, SourceUnreadableError
from .footers import TAIL_BYTES, read_footer
from .metadata import Footer
from .objects import DataFile, RangeReader
from .partitions import PartitionValue, read_path, type_column
from .quickget import MissingObjectError, QuickGetter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SUFFIX = ".parquet"
FOOTERS_AT_ONCE = 8
MISSING = frozenset({"NoSuchKey", "404"})
EMPTY = frozenset({"InvalidRange", "416"})


@dataclass(frozen=True)
class Store:
    """Where datasets are."""

    client: "S3Client"
    bucket: str
    prefix: str = ""
    """Ends in a slash, or is empty."""
    quick: QuickGetter | None = None
    """A cheaper way to read, tried first."""

    def make_reader(self) -> RangeReader:
        """Return a reader of the objects, which counts its requests."""
        return RangeReader(self.client, self.bucket, self.quick)


@dataclass(frozen=True)
class Summary:
    """What a listing alone knows of a dataset."""

    name: str
    size: int
    """Bytes of all its files."""
    files: int
    last_modified: datetime


@dataclass(frozen=True)
class Dataset:
    """A dataset with its schema, opened at one point of time: reading it later fails if a file has changed."""

    store: Store
    name: str
    files: tuple[DataFile, ...]
    """In the order of their rows."""
    footers: tuple[Footer, ...] = field(repr=False)
    """Of the files."""
    schema: pa.Schema
    """Of the files, followed by the partition columns of a folder."""
    partition_columns: tuple[str, ...] = ()
    partition_values: tuple[tuple[PartitionValue, ...], ...] = ()
    """For each file, the values of the partition columns."""

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
        """When the newest file was written."""
        return max(file.last_modified for file in self.files)

    @property
    def is_single_object(self) -> bool:
        """Whether the one object at `files[0].key` is the dataset as it is (an unfiltered Parquet answer)."""
        return len(self.files) == 1 and not self.partition_columns


def list_datasets(store: Store) -> list[Summary]:
    """Return all datasets by name, from a listing (no object is read).

    A name that is both a file and a folder is the file.

    Raises:
        SourceUnreadableError: S3 failed.
    """
    found: dict[str, list[DataFile]] = {}
    single: set[str] = set()
    for file in _list_files(store, store.prefix):
        name, slash, _ = file.key.removeprefix(store.prefix).partition("/")
        if slash and name in single:
            continue
        if not slash:
            name = name.removesuffix(SUFFIX)
            single.add(name)
            found[name] = []
        found.setdefault(name, []).append(file)
    return [
        Summary(name, sum(file.size for file in files), len(files), max(file.last_modified for file in files))
        for name, files in sorted(found.items())
    ]


def open_dataset(store: Store, name: str) -> Dataset:
    """Read the footers of a dataset's files; those of unchanged files are remembered between calls.

    Raises:
        DatasetNotFoundError: neither `{name}.parquet` nor a Parquet file in `{name}/` exists.
        CorruptDatasetError: a file is not Parquet, or a folder's files have different schemas.
        ObjectChangedError: a file was overwritten between listing and reading it.
        SourceUnreadableError: S3 failed for good.
    """
    reader = store.make_reader()
    opened = _open_tail(store, f"{store.prefix}{name}{SUFFIX}")
    if opened is not None:
        file, tail = opened
        footer = read_footer(reader, store.bucket, file, tail)
        return Dataset(store, name, (file,), (footer,), _check_names(footer.schema_arrow, file))
    return _open_folder(store, name, reader)


def _open_tail(store: Store, key: str) -> tuple[DataFile, bytes] | None:
    """Return an object's description and its end, in one request; None if it does not exist."""
    try:
        answer = store.quick.get_tail(store.bucket, key, TAIL_BYTES) if store.quick else None
    except MissingObjectError:
        return None
    if answer and "ETag" in answer.headers and "Last-Modified" in answer.headers:
        written = parsedate_to_datetime(answer.headers["Last-Modified"])
        return DataFile(key, answer.object_size, answer.headers["ETag"], written), answer.data
    return _open_tail_with_care(store, key)


def _open_tail_with_care(store: Store, key: str) -> tuple[DataFile, bytes] | None:
    """Do the same with boto3, which repeats and explains."""
    try:
        answer = store.client.get_object(Bucket=store.bucket, Key=key, Range=f"bytes=-{TAIL_BYTES}")
        with answer["Body"] as body:
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
    size = int(answer.get("ContentRange", f"/{len(tail)}").rpartition("/")[2])
    if len(tail) < min(size, TAIL_BYTES):
        tail = b""
    return DataFile(key, size, answer["ETag"], answer["LastModified"]), tail


def _open_folder(store: Store, name: str, reader: RangeReader) -> Dataset:
    folder = f"{store.prefix}{name}/"
    files = tuple(_list_files(store, folder))
    if not files:
        raise DatasetNotFoundError(f"There is no dataset {name}.")
    with ThreadPoolExecutor(FOOTERS_AT_ONCE, thread_name_prefix="footers") as threads:
        footers = tuple(threads.map(lambda file: read_footer(reader, store.bucket, file), files))
    schema = _check_names(_agree(files, footers), files[0])
    texts = [read_path(file.key.removeprefix(folder)) for file in files]
    schema, names, values = _add_partitions(schema, texts, files)
    return Dataset(store, name, files, footers, schema, names, values)


def _list_files(store: Store, prefix: str) -> Iterator[DataFile]:
    """Yield the Parquet files below a prefix by key; hidden ones (a step begins with _ or .) are none."""
    pages = store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=prefix)
    try:
        for page in pages:
            for item in page.get("Contents", []):
                steps = item["Key"].removeprefix(store.prefix).split("/")
                if steps[-1].endswith(SUFFIX) and steps[-1] != SUFFIX and not any(map(_is_hidden, steps)):
                    yield DataFile(item["Key"], item["Size"], item["ETag"], item["LastModified"])
    except (ClientError, BotoCoreError) as error:
        raise SourceUnreadableError(f"{prefix or store.bucket} cannot be listed: {error}") from error


def _is_hidden(step: str) -> bool:
    return not step or (step[0] in "_." and "=" not in step)


def _agree(files: tuple[DataFile, ...], footers: tuple[Footer, ...]) -> pa.Schema:
    """Return the schema that all files have."""
    first = footers[0].schema_arrow
    for file, footer in zip(files, footers, strict=True):
        other = footer.schema_arrow
        if other.equals(first):
            continue
        theirs, ours = (dict(_describe(schema)) for schema in (other, first))
        names = [name for name in (*ours, *theirs) if ours.get(name) != theirs.get(name)] or ["the order of columns"]
        raise CorruptDatasetError(
            f"{file.key} and {files[0].key} are of one dataset, but differ in {', '.join(dict.fromkeys(names))}"
        )
    return first


def _describe(schema: pa.Schema) -> Iterator[tuple[str, str]]:
    return ((each.name, f"{each.type} {each.nullable}") for each in schema)


def _check_names(schema: pa.Schema, file: DataFile) -> pa.Schema:
    double = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if double:
        raise CorruptDatasetError(f"{file.key} has several columns named {', '.join(double)}")
    return schema


def _add_partitions(
    schema: pa.Schema, texts: list[dict[str, str | None]], files: tuple[DataFile, ...]
) -> tuple[pa.Schema, tuple[str, ...], tuple[tuple[PartitionValue, ...], ...]]:
    """Return the schema with the partition columns; a file's own column of the same name stays what it is."""
    names = tuple(name for name in texts[0] if name not in schema.names)
    for file, found in zip(files, texts, strict=True):
        if found.keys() != texts[0].keys():
            raise CorruptDatasetError(f"{file.key} and {files[0].key} are partitioned by different columns")
    columns: Mapping[str, tuple[pa.Field, list[Any]]] = {
        name: type_column(name, [found[name] for found in texts]) for name in names
    }
    for added, _ in columns.values():
        schema = schema.append(added)
    return schema, names, tuple(zip(*(values for _, values in columns.values()), strict=True)) or ((),) * len(files)
