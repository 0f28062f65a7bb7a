"""Reads of S3 objects, with the first blocks of the next objects prefetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError

from xapi_etl.exceptions import SourceError
from xapi_etl.schemas import ObjectName, Source

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK_BYTES = 8 * 1024 * 1024
"""Maximum bytes of one read; a small object takes one request, and a failed read repeats one block."""
_MAX_PREFETCH_BYTES = 64 * 1024 * 1024
"""Maximum total bytes of prefetched first blocks."""
_MAX_ATTEMPTS = 3
_EMPTY_OBJECT_CODES = {"InvalidRange", "416"}
_OVERWRITTEN_CODES = {"PreconditionFailed", "412"}
_GONE_REASONS = {"NoSuchKey": "the object does not exist", "NoSuchVersion": "this version of the object does not exist"}


@dataclass(frozen=True, slots=True)
class OpenObject:
    """An object whose first block has been read."""

    name: ObjectName
    source: Source
    size: int
    """Size in bytes, as stored."""
    first: bytes


class SourceReader:
    """Reads objects and prefetches the first blocks of the next ones.

    Args:
        s3: an S3 client with room for ``concurrency`` connections.
        concurrency: number of parallel reads.
        max_bytes: size limit of an object.
    """

    def __init__(self, s3: S3Client, concurrency: int, max_bytes: int) -> None:
        self._s3 = s3
        self._concurrency = concurrency
        self._max_bytes = max_bytes
        self._first_bytes = min(BLOCK_BYTES, _MAX_PREFETCH_BYTES // concurrency)

    def open_objects(
        self, names: Sequence[ObjectName], remaining_seconds: Callable[[], float]
    ) -> Iterator[tuple[ObjectName, OpenObject | SourceError]]:
        """Yield each object, or why it cannot be read, in the order of the names, while there is time.

        ``remaining_seconds`` returns the maximum wait for the next object.
        """
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="open")
        left = iter(names)
        ahead: deque[tuple[ObjectName, Future[OpenObject | SourceError]]] = deque()
        try:
            while True:
                for name in islice(left, self._concurrency - len(ahead)):
                    ahead.append((name, pool.submit(self._open, name)))
                if not ahead:
                    return
                name, opened = ahead.popleft()
                try:
                    found = opened.result(max(remaining_seconds(), 0))
                except TimeoutError:
                    return
                yield name, found
        finally:
            # Do not wait for a read that hangs.
            pool.shutdown(wait=False, cancel_futures=True)

    def open(self, name: ObjectName) -> OpenObject:
        """Return one object.

        Raises:
            SourceError: it cannot be read.
        """
        opened = self._open(name)
        if isinstance(opened, SourceError):
            raise opened
        return opened

    def read(self, opened: OpenObject) -> Iterator[bytes]:
        """Yield an object's bytes.

        Raises:
            SourceError: a read fails, or the object has been overwritten.
        """
        yield opened.first
        for start in range(len(opened.first), opened.size, BLOCK_BYTES):
            end = min(start + BLOCK_BYTES, opened.size)
            options = {"IfMatch": f'"{opened.source.etag}"', "Range": f"bytes={start}-{end - 1}"}
            yield self._get(opened.name, options, end - start)[1]

    def _open(self, name: ObjectName) -> OpenObject | SourceError:
        try:
            response, first = self._get(name, {"Range": f"bytes=0-{self._first_bytes - 1}"})
        except SourceError as error:
            return error
        whole = response.get("ContentRange", "").rpartition("/")[2]
        size = int(whole) if whole else len(first)
        arrived = round(response["LastModified"].timestamp() * 1000)
        source = Source(name.url, response["ETag"].strip('"'), response.get("VersionId") or name.version_id, arrived)
        return OpenObject(name, source, size, first)

    def _get(self, name: ObjectName, extra: dict[str, str], length: int | None = None) -> tuple[Any, bytes]:
        """Return the response and its body, of ``length`` bytes if that is given."""
        options: dict[str, Any] = {"Bucket": name.bucket, "Key": name.key, **extra}
        if name.version_id:
            options["VersionId"] = name.version_id
        problem = ""
        for _ in range(_MAX_ATTEMPTS):
            try:
                response = self._s3.get_object(**options)
                self._check_size(response)
                body = response["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] in _EMPTY_OBJECT_CODES and length is None:
                    del options["Range"]  # an empty object has no range
                    continue
                raise _describe(error) from error
            except (HTTPClientError, IncompleteReadError) as error:  # reset, timeout or truncated body
                problem = type(error).__name__
                continue
            except BotoCoreError as error:
                raise SourceError(f"GetObject failed: {type(error).__name__}") from error
            if len(body) == (response["ContentLength"] if length is None else length):
                return response, body
            problem = f"the body has only {len(body)} bytes"
        raise SourceError(f"GetObject failed: {problem}")

    def _check_size(self, response: Any) -> None:  # noqa: ANN401  # boto3's response
        whole = response.get("ContentRange", "").rpartition("/")[2]
        size = int(whole) if whole else response["ContentLength"]
        if size > self._max_bytes:
            response["Body"].close()
            reason = f"the object has {size} bytes, more than the {self._max_bytes} of MAX_S3_OBJECT_BYTES"
            raise SourceError(reason, "too_large", is_final=True)


def _describe(error: ClientError) -> SourceError:
    code = error.response["Error"]["Code"]
    if code in _OVERWRITTEN_CODES:
        return SourceError("the object was overwritten while it was read", "overwritten")
    if code in _GONE_REASONS:
        return SourceError(_GONE_REASONS[code], "gone", is_final=True)
    return SourceError(f"GetObject failed: {code}")
