"""The check that a request names only keys that its caller may archive, and a target that it may write to."""

from collections.abc import Iterator
from http import HTTPStatus

from .exceptions import Code, FieldError, RequestRejected
from .job_record import SERVICE_PREFIX
from .schemas import ZipJobRequest


def check_access(request: ZipJobRequest, prefixes: tuple[str, ...] | None, dst_prefix: str) -> None:
    """Check that the request names only keys that its caller may use.

    A prefix that is a parent of an allowed one is rejected as a whole. The worker checks the keys in a manifest.

    Raises:
        RequestRejected: 403 naming every field that is not allowed.
    """
    errors = [FieldError(field, detail) for field, detail in _find_forbidden(request, prefixes, dst_prefix)]
    if errors:
        raise RequestRejected(HTTPStatus.FORBIDDEN, Code.KEY_NOT_ALLOWED, errors)


def _find_forbidden(
    request: ZipJobRequest, prefixes: tuple[str, ...] | None, dst_prefix: str
) -> Iterator[tuple[str, str]]:
    named = [(f"keys[{index}]", key) for index, key in enumerate(request.keys)]
    named += [("prefix", request.prefix)] if request.prefix else []
    named += [("manifestKey", request.manifest_key)] if request.manifest_key else []
    for field, key in named:
        if key.startswith(SERVICE_PREFIX):
            yield field, f"begins with {SERVICE_PREFIX!r}, where the service keeps its own objects"
        elif prefixes is not None and not key.startswith(prefixes):
            yield field, "does not begin with a key prefix that this caller may use"
    if prefixes is None or not request.target_prefix:
        return
    if not request.target_prefix.startswith((dst_prefix, *prefixes)):
        yield "targetPrefix", f"begins neither with {dst_prefix!r} nor with a key prefix that this caller may use"
