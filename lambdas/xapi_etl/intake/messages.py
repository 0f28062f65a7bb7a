"""Parser of SQS messages: the objects that each announces."""

from __future__ import annotations

from xapi_etl.exceptions import MessageRejectedError
from xapi_etl.object_events import IgnoredRecord, ObjectEventError, parse_object_events
from xapi_etl.schemas import ObjectName


def parse_body(body: str) -> tuple[list[ObjectName], tuple[IgnoredRecord, ...]]:
    """Return the new objects that a message announces, in its order, and its records that announce none.

    Raises:
        MessageRejectedError: the body is of none of the shapes that object_events.py describes.
    """
    try:
        events = parse_object_events(body)
    except ObjectEventError as error:
        raise MessageRejectedError(str(error)) from error
    return [ObjectName(one.bucket, one.key, one.version_id) for one in events.created], events.ignored
