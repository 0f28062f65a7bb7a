"""Uploads of bundles: each bundle becomes visible together with its manifest, or never."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from data_aggregator.exceptions import BundleNotWrittenError, BundleUncertainError, UploadAgainError

from .manifest import MANIFEST_CODING, name_manifest, name_old_manifest, read_manifest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_PART_SIZE = 8 * 1024 * 1024
_MAX_PARTS = 10_000
_PART_CONCURRENCY = 3
_MAX_ATTEMPTS = 3
_MISSING = {"404", "NoSuchKey"}
_CONFLICT = "ConditionalRequestConflict"
_EXISTS = "PreconditionFailed"


@dataclass(frozen=True, slots=True)
class Upload:
    """A bundle that is being uploaded; it is invisible until :meth:`BundleStore.publish`."""

    bucket: str
    bundle: str
    """The bundle's key."""
    upload_id: str


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an upload."""

    completed: list[CompletedPartTypeDef]
    sha256: str
    """Of the whole bundle."""


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """The final state of an upload."""

    is_published: bool
    source_ids: frozenset[str] | None
    """Ids in the manifest; ``None`` if the bundle's consumer has deleted it already."""

    def holds(self, source_id: str) -> bool:
        """Return whether a source that is claimed for this upload is in its bundle.

        Claims of sources that are not in the bundle are released before it is published. Without the manifest, the
        claim itself is therefore the proof.
        """
        return self.is_published and (self.source_ids is None or source_id in self.source_ids)


@dataclass(slots=True)
class BundleStore:
    """The distribution bucket."""

    s3: S3Client
    bucket: str
    _outcomes: dict[Upload, UploadOutcome] = field(default_factory=dict)

    def begin(self, bundle: str) -> Upload:
        """Start an upload; other workers can abort it by its id."""
        created = self.s3.create_multipart_upload(
            Bucket=self.bucket, Key=bundle, ContentType="application/gzip", ChecksumAlgorithm="CRC32"
        )
        return Upload(self.bucket, bundle, created["UploadId"])

    def send(self, upload: Upload, file: BinaryIO, size: int) -> Parts:
        """Upload a file of ``size`` bytes in parts, a few concurrently."""
        part_size = max(_PART_SIZE, -(-size // _MAX_PARTS))
        digest = hashlib.sha256()
        completed: list[CompletedPartTypeDef] = []
        running: deque[Future[CompletedPartTypeDef]] = deque()
        file.seek(0)
        with ThreadPoolExecutor(_PART_CONCURRENCY, thread_name_prefix="upload") as pool:
            for number, data in _cut(file, part_size):
                digest.update(data)
                running.append(pool.submit(self._send_part, upload, number, data))
                if len(running) == _PART_CONCURRENCY:
                    completed.append(running.popleft().result())
            completed += [part.result() for part in running]
        return Parts(completed, digest.hexdigest())

    def publish(self, upload: Upload, parts: Parts, manifest: bytes) -> None:
        """Write the manifest, then make the bundle visible, so that a visible bundle always has a manifest.

        Raises:
            UploadAgainError: S3 requires a new upload.
            BundleNotWrittenError: the bundle is not visible and never will be under this upload id.
            BundleUncertainError: it may be visible, now or in a moment.
        """
        self._write_manifest(name_manifest(upload.bundle), manifest)
        try:
            self.s3.complete_multipart_upload(
                Bucket=upload.bucket,
                Key=upload.bundle,
                UploadId=upload.upload_id,
                MultipartUpload={"Parts": parts.completed},
                IfNoneMatch="*",
            )
        except Exception as error:
            # Any error: an earlier attempt of the SDK may have succeeded although its response was lost, and a
            # response that cannot be parsed raises neither of botocore's classes.
            # The manifest is ours, so a bundle under its name is ours too.
            try:
                upload_outcome = self.resolve_outcome(upload)
            except Exception as second:
                raise BundleUncertainError(f"{error}; {second}") from second
            if upload_outcome.is_published:
                return
            is_conflict = isinstance(error, ClientError) and error.response["Error"]["Code"] == _CONFLICT
            raise (UploadAgainError if is_conflict else BundleNotWrittenError)(str(error)) from error

    def resolve_outcome(self, upload: Upload) -> UploadOutcome:
        """Return the final state of an upload; abort it if it has not been published."""
        if upload not in self._outcomes:
            is_published = self._is_published(upload)
            if not is_published:
                self.abort(upload)
                # It may have become visible just before the abort.
                is_published = self._is_published(upload)
            self._outcomes[upload] = UploadOutcome(is_published, self._read_ids(upload) if is_published else None)
        return self._outcomes[upload]

    def abort(self, upload: Upload) -> None:
        """Abort an upload; does nothing if it has ended already."""
        with suppress(self.s3.exceptions.NoSuchUpload):
            self.s3.abort_multipart_upload(Bucket=upload.bucket, Key=upload.bundle, UploadId=upload.upload_id)

    def _send_part(self, upload: Upload, number: int, data: bytes) -> CompletedPartTypeDef:
        crc32 = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
        response = self.s3.upload_part(
            Bucket=upload.bucket,
            Key=upload.bundle,
            UploadId=upload.upload_id,
            PartNumber=number,
            Body=data,
            ChecksumCRC32=crc32,
        )
        return {"PartNumber": number, "ETag": response["ETag"], "ChecksumCRC32": crc32}

    def _write_manifest(self, key: str, manifest: bytes) -> None:
        for _ in range(_MAX_ATTEMPTS):
            try:
                self.s3.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=manifest,
                    ContentType="application/json",
                    ContentEncoding=MANIFEST_CODING,
                    IfNoneMatch="*",
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == _CONFLICT:
                    continue
                # The manifest is ours if an earlier attempt succeeded and its response was lost.
                if code == _EXISTS and self._read(self.bucket, key) == manifest:
                    return
                raise BundleNotWrittenError(f"the manifest {key} could not be written: {code}") from error
            except BotoCoreError as error:
                raise BundleNotWrittenError(f"the manifest {key} could not be written: {error}") from error
            else:
                return
        raise BundleNotWrittenError(f"the manifest {key} could not be written: {_CONFLICT}")

    def _is_published(self, upload: Upload) -> bool:
        try:
            self.s3.head_object(Bucket=upload.bucket, Key=upload.bundle)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING:
                raise
            # A delete marker means that the bundle existed: a consumer has fetched and deleted it.
            return error.response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-delete-marker") == "true"
        return True

    def _read_ids(self, upload: Upload) -> frozenset[str] | None:
        # The dead worker may have run an earlier version.
        for name in (name_manifest(upload.bundle), name_old_manifest(upload.bundle)):
            with suppress(self.s3.exceptions.NoSuchKey):
                return frozenset(entry["id"] for entry in read_manifest(self._read(upload.bucket, name))["sources"])
        return None

    def _read(self, bucket: str, key: str) -> bytes:
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def _cut(file: BinaryIO, part_size: int) -> Iterator[tuple[int, bytes]]:
    number = 0
    while data := file.read(part_size):
        number += 1
        yield number, data
