"""The response to `GET /{dataset}.{format}`: buffered, streamed, partial, a redirect or an export."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain

from starlette.datastructures import Headers
from starlette.responses import Response

from dataset_download.formats.format import Format
from dataset_download.reading.result_stream import Download, start_download
from dataset_download.request.caller import Caller
from dataset_download.request.headers import attach, choose_encoding, format_time, is_unmodified, matches
from dataset_download.request.problem import Problem, explain
from dataset_download.request.range_header import RequestedRange, holds, is_range
from dataset_download.request.resolve import Pairs, ResolvedRequest, resolve_request
from dataset_download.runtime.cancellation import ClientDisconnectedError
from dataset_download.runtime.result_buffer import BufferedResult
from dataset_download.service import Service
from dataset_download.telemetry import Record

from .compression import compress
from .export_status import make_head_response
from .oversize import ResponseContext, respond_with_export
from .partial_content import buffer_result, respond_with_range, send_buffered
from .presigning import presign_dataset, redirect
from .streaming import End, StreamedResponse, drain, enforce_limit, read_up_to

_KEPT = ("ETag", "Last-Modified", "Cache-Control", "Vary", "X-Dataset")
"""Headers that a 304 repeats."""


@dataclass(frozen=True)
class DownloadRequest:
    """A request for a download."""

    name: str
    format: Format
    pairs: Pairs
    query: str
    """The raw query string."""
    headers: Headers
    head: bool
    caller: Caller


def respond_to_download(service: Service, request: DownloadRequest) -> Response:
    """Return the response, with its first bytes already made. The call blocks and belongs in a thread.

    Raises:
        Problem, DatasetError, ClientError, BotoCoreError: the request failed, and nothing has been sent.
    """
    resolved = resolve_request(service.settings, service.store, request.name, request.format, request.pairs)
    record = Record(service.logger, resolved, request.caller.request_id, request.query)
    try:
        return _choose(service, request, resolved, record)
    except Exception as error:
        problem = explain(error)
        is_failure = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        end = "abandoned" if isinstance(error, ClientDisconnectedError) else "failed" if is_failure else "refused"
        record.finish(end, error=error if is_failure else None)
        problem.is_logged = is_failure
        raise problem from error


def _choose(service: Service, request: DownloadRequest, resolved: ResolvedRequest, record: Record) -> Response:
    accepted = request.headers.get("accept-encoding")
    range_ = _read_range(request, resolved)
    encoding = choose_encoding(accepted, compressible=resolved.format.is_text and not range_)
    if encoding is None:
        raise Problem(
            HTTPStatus.NOT_ACCEPTABLE, "The response is available uncompressed or, except for Parquet, in gzip."
        )
    headers = describe(service, resolved, encoding)
    if _is_not_modified(request.headers, resolved):
        record.finish("not_modified")
        kept = {name: headers[name] for name in _KEPT if name in headers}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    if _is_whole_object(service, resolved):
        record.finish("redirected", resolved.plan.row_count)
        location = presign_dataset(service, resolved, head=request.head)
        return redirect(HTTPStatus.TEMPORARY_REDIRECT, location, headers)
    context = ResponseContext(resolved, request.query, request.caller.seconds, record, headers, head=request.head)
    is_large = service.stream_limit is not None and resolved.estimate > service.stream_limit
    if (range_ and not is_large) or (request.head and resolved.format is Format.PARQUET):
        return respond_with_range(service, context, range_, is_large=is_large)
    if is_large:
        return respond_with_export(service, context)
    if request.head:
        record.finish("head")
        return make_head_response(headers)
    return _respond_with_body(service, context, encoding)


def _is_not_modified(headers: Headers, resolved: ResolvedRequest) -> bool:
    """Return whether the caller already has the result. A tag takes precedence over a date (RFC 9110, 13.2.2)."""
    if "if-none-match" in headers:
        return matches(headers["if-none-match"], resolved.tag)
    # The newest date of several files does not show that a file was deleted.
    is_one = len(resolved.dataset.files) == 1
    return is_one and is_unmodified(headers.get("if-modified-since"), resolved.dataset.last_modified)


def _read_range(request: DownloadRequest, resolved: ResolvedRequest) -> str:
    """Return the requested range, or an empty text for the whole result. Ranges are of the uncompressed result."""
    header = request.headers.get("range")
    if header is None or not is_range(header) or request.head:
        return ""
    if choose_encoding(request.headers.get("accept-encoding"), compressible=False) is None:
        return ""
    return header if holds(request.headers.get("if-range"), resolved.tag, resolved.dataset.last_modified) else ""


def _is_whole_object(service: Service, resolved: ResolvedRequest) -> bool:
    is_whole = resolved.plan.query.is_full and resolved.dataset.is_single_object
    return service.settings.redirect_parquet and resolved.format is Format.PARQUET and is_whole


def _respond_with_body(service: Service, context: ResponseContext, encoding: str) -> Response:
    """Return a small result complete, and a larger one as a stream, or as an export if a stream may be truncated.

    With a limit, nothing is sent before the result is known to fit: a response truncated by Lambda looks complete.
    """
    resolved, record, headers = context.resolved, context.record, context.headers
    download = start_download(resolved.plan, resolved.format, formula_guard=service.settings.formula_guard)
    try:
        first, is_whole = read_up_to(download, service.in_memory_limit)
        if not is_whole and service.buffers_results:
            result = buffer_result(chain(drain(first), download), service.spool_limit, download)
            return (
                _send_buffered_or_export(service, context, result, encoding)
                if result
                else respond_with_export(service, context)
            )
    except BaseException:
        download.close()
        raise
    if is_whole:
        download.close()
        body = b"".join(_encode(first, encoding))
        record.finish("complete", download.rows, len(body))
        return Response(body, headers={**headers, "Accept-Ranges": "bytes", "X-Row-Count": str(download.rows)})
    limited = enforce_limit(chain(drain(first), download), service.stream_limit)
    return _stream(_encode(limited, encoding), download, record, headers, service.settings.stall_seconds)


def _send_buffered_or_export(
    service: Service, context: ResponseContext, result: BufferedResult, encoding: str
) -> Response:
    """Return the response with a buffered result, or export the result if the caller's time is too short."""
    if result.size > service.find_transferable_bytes(context.seconds):
        return respond_with_export(service, context)
    return send_buffered(result, RequestedRange(0, result.size), context, service.settings.stall_seconds, encoding)


def _stream(
    chunks: Iterable[bytes], download: Download, record: Record, headers: dict[str, str], stall_seconds: float
) -> Response:
    def finish(end: End, sent: int, error: BaseException | None) -> None:
        download.close()
        record.finish(end, download.rows, sent, error)

    return StreamedResponse(chunks, headers, finish, stall_seconds)


def _encode(chunks: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    return compress(chunks) if encoding == "gzip" else chunks


def describe(service: Service, resolved: ResolvedRequest, encoding: str) -> dict[str, str]:
    """Return the headers of a response."""
    settings, is_full = service.settings, resolved.plan.query.is_full
    seconds = settings.cache_full_seconds if is_full else settings.cache_filtered_seconds
    headers = {
        "Content-Type": resolved.format.media_type,
        "Content-Disposition": attach(resolved.filename),
        "ETag": f'"{resolved.tag}-gzip"' if encoding == "gzip" else f'"{resolved.tag}"',
        "Last-Modified": format_time(resolved.dataset.last_modified),
        "Cache-Control": f"public, max-age={seconds}",
        "X-Dataset": resolved.dataset.name,
    }
    if resolved.format.is_text:
        headers["Vary"] = "Accept-Encoding"
    if encoding == "gzip":
        headers["Content-Encoding"] = "gzip"
    if resolved.plan.row_count is not None:
        headers["X-Row-Count"] = str(resolved.plan.row_count)
    return headers
