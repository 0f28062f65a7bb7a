"""Limits of S3 keys, and the check of a target prefix."""

import re

from .job_record import SERVICE_PREFIX

MAX_KEY_BYTES = 1024
"""The longest S3 object key, in UTF-8 bytes."""
# Controls and noncharacters make a bucket's listing, which is XML 1.0, unreadable; separators break lines.
_NOT_IN_KEY = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


def find_prefix_fault(prefix: str) -> str:
    """Return why archives cannot be stored under ``prefix``, an empty string if they can."""
    if prefix.startswith(("/", SERVICE_PREFIX)):
        return f"must not start with '/' or '{SERVICE_PREFIX}'"
    if any(segment in {".", ".."} for segment in prefix.split("/")):
        return "must not have '.' or '..' as a segment: clients would resolve it, and miss the object"
    if _NOT_IN_KEY.search(prefix):
        return "must not contain control characters, line separators or noncharacters"
    return ""
