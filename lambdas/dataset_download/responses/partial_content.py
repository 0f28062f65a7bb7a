"""Ranges of computed results: a result is buffered once, and its ranges are read from the buffer."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.responses import Response

from dataset_download.reading.result_stream import Download, start_download
from dataset_download.request.problem import Problem
from dataset_download.request.range_header import RequestedRange, UnsatisfiableRangeError, find_range
from dataset_download.runtime.result_buffer import BufferedResult, ResultBuffer
from dataset_download.service import Service

from .compression import compress
from .export_status import make_head_response
from .oversize import ResponseContext, respond_with_export
from .streaming import End, StreamedResponse


def respond_with_range(service: Service, context: ResponseContext, range_: str, *, is_large: bool) -> Response:
    """Return a 206 with the range, or the length of the result for a HEAD (without a range).

    A result too large for the buffer is exported, and S3 serves its ranges. This applies to HEAD too: Parquet readers
    that read ranges ask for the length first, and give up without it.

    Raises:
        Problem: 416 if the range selects no byte; 413 if the result needs an export and exports are off.
    """
    result = service.results.get(context.resolved.tag) or (None if is_large else _make(service, context))
    if result is None:
        if context.head and service.exports is None:
            context.record.finish("head")
            return make_head_response(context.headers)
        return respond_with_export(service, context, starts_export=True)
    service.results.put(context.resolved.tag, result)
    headers = {**context.headers, "Accept-Ranges": "bytes", "X-Row-Count": str(result.rows)}
    if not range_:
        context.record.finish("head")
        return Response(headers={**headers, "Content-Length": str(result.size)})
    try:
        part = find_range(range_, result.size)
    except UnsatisfiableRangeError:
        detail = f"The result has {result.size} bytes; the range selects none of them."
        unsatisfied = {"Content-Range": f"bytes */{result.size}"}
        raise Problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, detail, unsatisfied) from None
    return send_buffered(result, part, context, service.settings.stall_seconds, is_part=True)


def _make(service: Service, context: ResponseContext) -> BufferedResult | None:
    resolved = context.resolved
    with start_download(resolved.plan, resolved.format, formula_guard=service.settings.formula_guard) as download:
        return buffer_result(download, service.spool_limit, download)


def buffer_result(chunks: Iterable[bytes], limit: int, download: Download) -> BufferedResult | None:
    """Return the complete result; None if it has more than ``limit`` bytes."""
    buffer = ResultBuffer()
    try:
        is_whole = buffer.add_all(chunks, limit)
    except BaseException:
        buffer.close()
        raise
    finally:
        download.close()
    return buffer.finish(download.rows) if is_whole else None


def send_buffered(
    result: BufferedResult,
    part: RequestedRange,
    context: ResponseContext,
    stall_seconds: float,
    encoding: str = "identity",
    *,
    is_part: bool = False,
) -> Response:
    """Return the response with a buffered result, or a 206 with a part of it."""
    headers = {**context.headers, "Accept-Ranges": "bytes", "X-Row-Count": str(result.rows)}
    chunks: Iterable[bytes] = result.read(part.start, part.end)
    if encoding == "gzip":
        chunks = compress(chunks)
    else:
        headers["Content-Length"] = str(part.end - part.start)
    if is_part:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{result.size}"

    def finish(end: End, sent: int, error: BaseException | None) -> None:
        outcome = "partial" if is_part and end == "complete" else end
        context.record.finish(outcome, result.rows, sent, error)

    status = HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK
    return StreamedResponse(chunks, headers, finish, stall_seconds, status)
