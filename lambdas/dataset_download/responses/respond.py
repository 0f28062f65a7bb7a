"""`GET /{dataset}.{format}`: which way an answer goes."""

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
from dataset_download.request.range_header import Part, holds, is_range
from dataset_download.request.resolve import Asked, Pairs, ask
from dataset_download.runtime.cancellation import ClientLeftError
from dataset_download.runtime.result_buffer import Held
from dataset_download.service import Service
from dataset_download.telemetry import Record

from .compression import compress
from .export_status import answer_head
from .oversize import LargeAnswer, answer_large
from .partial_content import answer_part, hold, send_held
from .presigning import presign_dataset, redirect
from .streaming import End, PiecesResponse, drain, enforce, pull

_KEPT = ("ETag", "Last-Modified", "Cache-Control", "Vary", "X-Dataset")
"""What a 304 repeats."""


@dataclass(frozen=True)
class Wanted:
    """A request for a download."""

    name: str
    format: Format
    pairs: Pairs
    query: str
    """The query string as it came."""
    headers: Headers
    head: bool
    caller: Caller


def answer_download(service: Service, wanted: Wanted) -> Response:
    """Return the answer, whose first bytes are made by then. Blocking; to be called in a thread.

    Raises:
        Problem, DatasetError, ClientError, BotoCoreError: there is no answer, and nothing has been sent.
    """
    asked = ask(service.settings, service.store, wanted.name, wanted.format, wanted.pairs)
    record = Record(service.logger, asked, wanted.caller.request_id, wanted.query)
    try:
        return _choose(service, wanted, asked, record)
    except Exception as error:
        problem = explain(error)
        is_failure = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        end = "abandoned" if isinstance(error, ClientLeftError) else "failed" if is_failure else "refused"
        record.finish(end, error=error if is_failure else None)
        problem.is_logged = is_failure
        raise problem from error


def _choose(service: Service, wanted: Wanted, asked: Asked, record: Record) -> Response:
    accepted = wanted.headers.get("accept-encoding")
    range_ = _read_range(wanted, asked)
    encoding = choose_encoding(accepted, compressible=asked.format.is_text and not range_)
    if encoding is None:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, "The answer comes as it is or, unless it is Parquet, in gzip.")
    headers = describe(service, asked, encoding)
    if _is_known(wanted.headers, asked):
        record.finish("not_modified")
        kept = {name: headers[name] for name in _KEPT if name in headers}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    if _is_the_object_itself(service, asked):
        record.finish("redirected", asked.plan.row_count)
        location = presign_dataset(service, asked, head=wanted.head)
        return redirect(HTTPStatus.TEMPORARY_REDIRECT, location, headers)
    large = LargeAnswer(asked, wanted.query, wanted.caller.seconds, record, headers, head=wanted.head)
    is_large = service.stream_limit is not None and asked.estimate > service.stream_limit
    if (range_ and not is_large) or (wanted.head and asked.format is Format.PARQUET):
        return answer_part(service, large, range_, is_large=is_large)
    if is_large:
        return answer_large(service, large)
    if wanted.head:
        record.finish("head")
        return answer_head(headers)
    return _answer_pieces(service, large, encoding)


def _is_known(headers: Headers, asked: Asked) -> bool:
    """Whether the caller has the answer already. A tag goes before a date (RFC 9110, 13.2.2)."""
    if "if-none-match" in headers:
        return matches(headers["if-none-match"], asked.tag)
    # The newest date of several files does not tell that one is gone.
    is_one = len(asked.dataset.files) == 1
    return is_one and is_unmodified(headers.get("if-modified-since"), asked.dataset.last_modified)


def _read_range(wanted: Wanted, asked: Asked) -> str:
    """Return the range that is asked for, empty where it is all. Only what is not compressed is given in parts."""
    header = wanted.headers.get("range")
    if header is None or not is_range(header) or wanted.head:
        return ""
    if choose_encoding(wanted.headers.get("accept-encoding"), compressible=False) is None:
        return ""
    return header if holds(wanted.headers.get("if-range"), asked.tag, asked.dataset.last_modified) else ""


def _is_the_object_itself(service: Service, asked: Asked) -> bool:
    is_whole = asked.plan.query.is_full and asked.dataset.is_single_object
    return service.settings.redirect_parquet and asked.format is Format.PARQUET and is_whole


def _answer_pieces(service: Service, large: LargeAnswer, encoding: str) -> Response:
    """Answer whole what is small, and the rest as it is made, or as a large answer where that may end too early.

    Under a limit nothing leaves before the whole is known to be within it: what Lambda cuts off still looks whole.
    """
    asked, record, headers = large.asked, large.record, large.headers
    download = start_download(asked.plan, asked.format, formula_guard=service.settings.formula_guard)
    try:
        first, is_whole = pull(download, service.whole_limit)
        if not is_whole and service.holds_answers:
            held = hold(chain(drain(first), download), service.hold_limit, download)
            return _send_held(service, large, held, encoding) if held else answer_large(service, large)
    except BaseException:
        download.close()
        raise
    if is_whole:
        download.close()
        body = b"".join(_encode(first, encoding))
        record.finish("complete", download.rows, len(body))
        return Response(body, headers={**headers, "Accept-Ranges": "bytes", "X-Row-Count": str(download.rows)})
    limited = enforce(chain(drain(first), download), service.stream_limit)
    return _stream(_encode(limited, encoding), download, record, headers, service.settings.stall_seconds)


def _send_held(service: Service, large: LargeAnswer, held: Held, encoding: str) -> Response:
    """Send an answer that is made already, unless the caller's time is too short for it."""
    if held.size > service.fit(large.seconds):
        return answer_large(service, large)
    return send_held(held, Part(0, held.size), large, service.settings.stall_seconds, encoding)


def _stream(
    pieces: Iterable[bytes], download: Download, record: Record, headers: dict[str, str], stall_seconds: float
) -> Response:
    def finish(end: End, sent: int, error: BaseException | None) -> None:
        download.close()
        record.finish(end, download.rows, sent, error)

    return PiecesResponse(pieces, headers, finish, stall_seconds)


def _encode(pieces: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    return compress(pieces) if encoding == "gzip" else pieces


def describe(service: Service, asked: Asked, encoding: str) -> dict[str, str]:
    """Return the headers of an answer."""
    settings, is_full = service.settings, asked.plan.query.is_full
    seconds = settings.cache_full_seconds if is_full else settings.cache_filtered_seconds
    headers = {
        "Content-Type": asked.format.media_type,
        "Content-Disposition": attach(asked.filename),
        "ETag": f'"{asked.tag}-gzip"' if encoding == "gzip" else f'"{asked.tag}"',
        "Last-Modified": format_time(asked.dataset.last_modified),
        "Cache-Control": f"public, max-age={seconds}",
        "X-Dataset": asked.dataset.name,
    }
    if asked.format.is_text:
        headers["Vary"] = "Accept-Encoding"
    if encoding == "gzip":
        headers["Content-Encoding"] = "gzip"
    if asked.plan.row_count is not None:
        headers["X-Row-Count"] = str(asked.plan.row_count)
    return headers
