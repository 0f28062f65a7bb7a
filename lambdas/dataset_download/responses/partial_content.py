"""Parts of answers that are computed: made once to their end, then read from there."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.responses import Response

from dataset_download.reading.result_stream import Download, start_download
from dataset_download.request.problem import Problem
from dataset_download.request.range_header import Part, UnsatisfiableRangeError, find_part
from dataset_download.runtime.result_buffer import Held, Holder
from dataset_download.service import Service

from .compression import compress
from .export_status import answer_head
from .oversize import LargeAnswer, answer_large
from .streaming import End, PiecesResponse


def answer_part(service: Service, large: LargeAnswer, range_: str, *, is_large: bool) -> Response:
    """Return a 206 with the range, or for a HEAD (without one) how long the answer is.

    What is too large to be held goes by an export, of which S3 gives ranges: also for a HEAD, since who reads Parquet
    in parts asks for its length first, and gives up without.

    Raises:
        Problem: 416, or 413 where the answer would have to be exported and exports are off.
    """
    held = service.results.get(large.asked.tag) or (None if is_large else _make(service, large))
    if held is None:
        if large.head and service.exports is None:
            large.record.finish("head")
            return answer_head(large.headers)
        return answer_large(service, large, begins=True)
    service.results.put(large.asked.tag, held)
    headers = {**large.headers, "Accept-Ranges": "bytes", "X-Row-Count": str(held.rows)}
    if not range_:
        large.record.finish("head")
        return Response(headers={**headers, "Content-Length": str(held.size)})
    try:
        part = find_part(range_, held.size)
    except UnsatisfiableRangeError:
        detail = f"The answer has {held.size} bytes; none of them is in the range."
        unsatisfied = {"Content-Range": f"bytes */{held.size}"}
        raise Problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, detail, unsatisfied) from None
    return send_held(held, part, large, service.settings.stall_seconds, is_part=True)


def _make(service: Service, large: LargeAnswer) -> Held | None:
    asked = large.asked
    with start_download(asked.plan, asked.format, formula_guard=service.settings.formula_guard) as download:
        return hold(download, service.hold_limit, download)


def hold(pieces: Iterable[bytes], limit: int, download: Download) -> Held | None:
    """Make an answer to its end and return it; None if it has more than ``limit`` bytes."""
    holder = Holder()
    try:
        is_whole = holder.add_all(pieces, limit)
    except BaseException:
        holder.close()
        raise
    finally:
        download.close()
    return holder.finish(download.rows) if is_whole else None


def send_held(
    held: Held,
    part: Part,
    large: LargeAnswer,
    stall_seconds: float,
    encoding: str = "identity",
    *,
    is_part: bool = False,
) -> Response:
    """Return an answer that is made already, or a part of it under 206."""
    headers = {**large.headers, "Accept-Ranges": "bytes", "X-Row-Count": str(held.rows)}
    pieces: Iterable[bytes] = held.read(part.start, part.end)
    if encoding == "gzip":
        pieces = compress(pieces)
    else:
        headers["Content-Length"] = str(part.end - part.start)
    if is_part:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{held.size}"

    def finish(end: End, sent: int, error: BaseException | None) -> None:
        outcome = "partial" if is_part and end == "complete" else end
        large.record.finish(outcome, held.rows, sent, error)

    status = HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK
    return PiecesResponse(pieces, headers, finish, stall_seconds, status)
