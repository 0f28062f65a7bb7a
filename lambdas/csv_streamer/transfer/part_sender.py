"""Sender of parts: uploads them concurrently, and reads them for the checksums in the order of the file."""

import asyncio
from collections.abc import Mapping

from csv_streamer.exceptions import FileError, SourceChangedError
from csv_streamer.s3.buffers import Buffers
from csv_streamer.s3.multipart_upload import Upload, compute_crc32
from csv_streamer.s3.part_sizes import Span
from csv_streamer.schemas import Part

from .inspection import Inspection


class PartSender:
    """Sends the filled parts of one file, and gives their buffers back."""

    def __init__(self, upload: Upload, inspection: Inspection, buffers: Buffers, expected: Mapping[str, str]) -> None:
        """``expected``: CRC-32 of parts that an earlier invocation has read but S3 does not have, by number."""
        self._upload = upload
        self._inspection = inspection
        self._buffers = buffers
        self._expected = expected
        self._crc32: dict[int, str] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self.failure: BaseException | None = None
        """The first error, which ends the file's transfer."""

    def send(self, span: Span, body: bytearray) -> None:
        """Start the upload of a part; the buffer now belongs to it."""
        self._inspection.announce(span)
        task = asyncio.create_task(self._put(span, body))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _put(self, span: Span, body: bytearray) -> None:
        """Upload a part and read it for the checksums, which takes the parts in their order."""
        async with self._turn:  # so that uploads begin in the order of the parts
            crc32 = self._crc32[span.number] = await asyncio.to_thread(compute_crc32, body)
        outcomes = await asyncio.gather(
            self._put_same(span, body, crc32), self._inspection.add(span, body), return_exceptions=True
        )
        error = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
        if error:  # whatever it is, it ends the file's transfer
            self.failure = self.failure or error
            self._inspection.stop(at_once=True)
            await self._buffers.fail(error)
        await self._buffers.give_back(body)

    async def _put_same(self, span: Span, body: bytearray, crc32: str) -> None:
        if self._expected.get(str(span.number), crc32) != crc32:
            raise SourceChangedError("the file changed since an earlier invocation read it")
        await self._upload.put_part(span, body, crc32)

    @property
    def is_sending(self) -> bool:
        """Return whether uploads are in progress."""
        return bool(self._sending)

    async def wait(self, until: float | None = None) -> None:
        """Wait for uploads in progress, at most until the event loop's time ``until``."""
        if self._sending:
            timeout = None if until is None else max(0.0, until - asyncio.get_running_loop().time())
            await asyncio.wait(self._sending, timeout=timeout)

    def check(self, received: int, length: int | None) -> None:
        """Compare the received bytes with the parts in S3, the bytes in the checksums, and the announced length.

        Raises:
            FileError: they differ.
            Exception: the first error of an upload or of the checksums.
        """
        if self.failure:
            raise self.failure
        if not self._upload.size == self._inspection.end == received:
            raise FileError(
                f"{received} bytes were received, but the parts have {self._upload.size}", code="internal_error"
            )
        if length not in {None, received}:
            raise FileError(f"the server said {length} bytes, but the parts have {received}", code="internal_error")

    def list_left(self, *, in_order: bool) -> tuple[list[Part], int]:
        """Return the parts that stay for a later invocation, and up to where the checksums stay.

        ``in_order``: whether parts vary in size, so that only those before the first gap can stay.
        """
        uploaded = self._upload.parts
        if not in_order:
            end = self._inspection.end
            return [uploaded[one] for one in sorted(uploaded) if uploaded[one].offset + uploaded[one].size <= end], end
        parts: list[Part] = []
        end = 0
        while (part := uploaded.get(len(parts) + 1)) and self._inspection.has_read(part.offset + part.size):
            parts.append(part)
            end = part.offset + part.size
        return parts, end

    def list_read(self, kept: list[Part]) -> dict[str, str]:
        """Return the CRC-32 of the parts that have been read but are not among the kept ones, by number."""
        have = {part.number for part in kept}
        read = {str(number): crc32 for number, crc32 in self._crc32.items() if number not in have}
        return {**self._expected, **read}
