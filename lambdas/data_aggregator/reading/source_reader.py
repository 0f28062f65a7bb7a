"""Reader of source objects: concurrent ranged reads, checked against the announced version and size."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError

from data_aggregator.exceptions import SourceError, SourceGoneError, SourceSupersededError, SourceUnreadableError
from data_aggregator.readahead import read_ahead
from data_aggregator.s3_get import GetObject
from data_aggregator.schemas import ObjectName, Source, source_id

from .decompression import Content

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

BLOCK_SIZE = 4 * 1024 * 1024
"""Maximum bytes of one read; larger objects are read in several concurrent reads."""
_MAX_READ_ATTEMPTS = 3
_SKIP_SIZE = 1024 * 1024
_GONE = {"NoSuchKey", "NoSuchVersion"}
_CHANGED = {"PreconditionFailed", "412"}


@dataclass(frozen=True, slots=True)
class Block:
    """A byte range of a source."""

    source: Source
    start: int
    """Byte at which it begins."""
    length: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes of a range, as the object is stored."""

    data: bytes
    coding: str
    """The object's Content-Encoding; empty if it has none."""


class SourceReader:
    """Reads many sources ahead concurrently, and returns them in order.

    Args:
        s3: an S3 client with room for ``concurrency`` connections.
        get_object_fast: a cheaper request, tried before boto3.
        concurrency: reads at once.
        budget: maximum bytes that are read and not yet consumed.
    """

    def __init__(self, s3: S3Client, get_object_fast: GetObject, *, concurrency: int, budget: int) -> None:
        self._s3 = s3
        self._get_object_fast = get_object_fast
        self._concurrency = concurrency
        self._budget = budget

    def look_up(self, names: Sequence[ObjectName]) -> list[Source | SourceError]:
        """Return the current version of each name, or the error that prevents it."""
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="head") as pool:
            return list(pool.map(self._look_up_one, names))

    def open(self, sources: Sequence[Source], check: Callable[[], None]) -> Feed:
        """Start reading; the feed returns the sources' contents in the same order.

        ``check`` is called for every block and every second of waiting, and stops the reading by raising.
        """
        blocks = (block for source in sources for block in _split(source))
        return Feed(
            read_ahead(
                blocks,
                lambda block: (block, self._read_block(block)),
                lambda block: block.length,
                concurrency=self._concurrency,
                budget=self._budget,
                check=check,
            ),
            check,
        )

    def _look_up_one(self, name: ObjectName) -> Source | SourceError:
        version = {"VersionId": name.version_id} if name.version_id else {}
        options: dict[str, Any] = {"Bucket": name.bucket, "Key": name.key, **version}
        try:
            head = self._s3.head_object(**options)
        except ClientError as error:
            # A HEAD response has no body that says whether the object or the bucket is missing.
            return self._explain(options) if error.response["Error"]["Code"] == "404" else _describe(error)
        except BotoCoreError as error:
            return SourceUnreadableError(f"HeadObject failed: {error}")
        version_id = None if head.get("VersionId") == "null" else head.get("VersionId")
        etag = head["ETag"].strip('"')
        told_apart_by = version_id or f"{etag} {head['LastModified'].isoformat()}"
        identity = source_id(name.bucket, name.key, told_apart_by)
        return Source(identity, name.bucket, name.key, version_id, etag, head["ContentLength"])

    def _explain(self, options: Mapping[str, Any]) -> SourceError:
        try:
            self._s3.get_object(**options)["Body"].close()
        except ClientError as error:
            return _describe(error)
        except BotoCoreError as error:
            return SourceUnreadableError(f"GetObject failed: {error}")
        return SourceUnreadableError("the object appeared between two requests")

    def _read_block(self, block: Block) -> Stored | SourceError:
        source = block.source
        headers: dict[str, str] = {}
        options: dict[str, Any] = {"Bucket": source.bucket, "Key": source.key}
        if source.version_id:
            options["VersionId"] = source.version_id
        else:
            options["IfMatch"] = headers["If-Match"] = f'"{source.etag}"'
        if block.length < source.size:
            last = block.start + block.length - 1
            options["Range"] = headers["Range"] = f"bytes={block.start}-{last}"
        response = self._get_object_fast(source.bucket, source.key, headers, block.length, source.version_id)
        if response is None or response.object_size != source.size:
            return self._get_object_boto3(block, options)
        return Stored(response.data, response.headers.get("Content-Encoding", ""))

    def _get_object_boto3(self, block: Block, options: Mapping[str, Any]) -> Stored | SourceError:
        """Read with boto3, which retries and reports errors in detail."""
        problem = ""
        for _ in range(_MAX_READ_ATTEMPTS):
            try:
                response = self._s3.get_object(**options)
                size = _object_size(response)
                if size != block.source.size:
                    response["Body"].close()
                    return SourceUnreadableError(f"the object has {size} bytes, not {block.source.size} as announced")
                data = _read_body(response, block)
            except ClientError as error:
                return _describe(error)
            except (HTTPClientError, IncompleteReadError) as error:  # reset, timeout or early end of the body
                problem = type(error).__name__
                continue
            except BotoCoreError as error:
                return SourceUnreadableError(f"GetObject failed: {error}")
            if len(data) == block.length:
                return Stored(data, response.get("ContentEncoding", ""))
            problem = f"{len(data)} bytes"
        return SourceUnreadableError(f"reading at byte {block.start}: wanted {block.length} bytes, got {problem}")


class Feed:
    """The contents of sources, in their order; must be closed."""

    def __init__(self, blocks: Generator[tuple[Block, Stored | SourceError]], check: Callable[[], None]) -> None:
        self._blocks = blocks
        self._check = check
        self._coding = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._blocks.close()

    def contents(self, source: Source) -> Content:
        """Return an iterator over the next source's decompressed bytes; unread bytes of the previous one are skipped.

        The iteration raises a ``SourceError`` if the source cannot be read, is gone, was replaced, or is damaged.
        """
        return Content(self._stored(source), source.key, lambda: self._coding)

    def _stored(self, source: Source) -> Iterator[bytes]:
        self._coding = ""
        for block, result in self._blocks:
            if block.source is not source:
                continue  # of a source that was abandoned
            if isinstance(result, SourceError):
                raise result
            self._check()
            self._coding = result.coding
            yield result.data
            if block.start + block.length == source.size:
                return


def _split(source: Source) -> Iterator[Block]:
    for start in range(0, max(source.size, 1), BLOCK_SIZE):
        yield Block(source, start, min(BLOCK_SIZE, source.size - start))


def _read_body(response: GetObjectOutputTypeDef, block: Block) -> bytes:
    """Return a block from a response; a server may send the whole object instead, as the offline stack does."""
    body = response["Body"]
    if response["ContentLength"] == block.length:
        return body.read()
    with closing(body):
        skipped = 0
        while skipped < block.start and (chunk := body.read(min(_SKIP_SIZE, block.start - skipped))):
            skipped += len(chunk)
        return body.read(block.length)


def _object_size(response: GetObjectOutputTypeDef) -> int:
    """Return the size of the whole object, bytes, even if the response holds a range of it."""
    whole = response.get("ContentRange", "").rpartition("/")[2]
    return int(whole) if whole else response["ContentLength"]


def _describe(error: ClientError) -> SourceError:
    code = error.response["Error"]["Code"]
    if code in _GONE:
        return SourceGoneError("the object does not exist any more")
    if code in _CHANGED:
        return SourceSupersededError("the object was overwritten before it was read")
    return SourceUnreadableError(f"{error.operation_name} failed: {code}: {error.response['Error'].get('Message', '')}")
