"""Metadata of an object that describes its source, in the 2 KB of ASCII that S3 allows."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from string import ascii_letters, digits
from urllib.parse import quote, unquote, urlsplit

from csv_streamer.inputs.parameters import describe_url
from csv_streamer.inputs.urls import canonical_url
from csv_streamer.schemas import Entry, Head, Validators

_TYPE = "text/csv"
_GENERIC_TYPES = {"application/octet-stream", "binary/octet-stream"}
_UNESCAPED = ascii_letters + digits + " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""Printable ASCII without the percent sign, which escapes the rest."""
_MAX_URL = 1000
_MAX_VALIDATOR = 250
_PBKDF2_ROUNDS = 100_000
"""Rounds of PBKDF2."""


def choose_content_type(entry: Entry, head: Head) -> str:
    """Return the entry's type, else the server's unless it is generic, else ``text/csv``."""
    if entry.content_type:
        return entry.content_type
    served = (head.content_type or "").strip()
    can_be_kept = served.isascii() and served.isprintable()
    says_something = served.partition(";")[0].strip().lower() not in {"", *_GENERIC_TYPES}
    return served if can_be_kept and says_something else _TYPE


def make_metadata(entry: Entry, source_id: str, head: Head, time: datetime) -> dict[str, str]:
    """Return the object's metadata without its SHA-256; validators that are too long are omitted."""
    validators = {"source_etag": head.validators.etag, "source_last_modified": head.validators.last_modified}
    encoded = {name: quote(value, safe=_UNESCAPED) for name, value in validators.items() if value}
    kept = {name: value for name, value in encoded.items() if len(value) <= _MAX_VALIDATOR}
    return {
        "source_url": describe_url(entry.url)[:_MAX_URL],
        "source_id": source_id,
        "source_place": identify_place(head.url),
        "ingestion_time": time.isoformat(),
        **kept,
    }


def identify_source(entry: Entry, headers: Mapping[str, str]) -> str:
    """Return a hash of all that decides which file a server sends: the whole URL and the request's headers.

    ``headers``: the secret's included. What the entry expects of the file is part of it, so that a file is looked at
    again when that changes. The hash takes long on purpose where passwords or tokens are in it: nobody is to find them
    by trying.
    """
    named = sorted((name.lower(), value) for name, value in headers.items())
    text = json.dumps([canonical_url(entry.url), named, asdict(entry.expect)]).encode()
    has_secrets = bool(named) or "@" in urlsplit(entry.url).netloc
    return hashlib.pbkdf2_hmac("sha256", text, b"sluice-csv-streamer", _PBKDF2_ROUNDS if has_secrets else 1).hex()


def identify_place(url: str) -> str:
    """Return a hash of a file's URL after redirects, without its query."""
    parts = urlsplit(url)
    return hashlib.sha256(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".encode()).hexdigest()


def read_validators(metadata: Mapping[str, str]) -> Validators:
    """Return the source's validators from an object's metadata."""
    etag, modified = metadata.get("source_etag"), metadata.get("source_last_modified")
    return Validators(unquote(etag) if etag else None, unquote(modified) if modified else None)


def is_same_place(metadata: Mapping[str, str], url: str) -> bool:
    """Return whether an object was fetched from ``url``, after redirects."""
    return metadata.get("source_place") == identify_place(url)


def is_same_version(stored: Validators, served: Validators) -> bool:
    """Return whether the server's file is the stored one: by ETag, or by date if there is no ETag."""
    if stored.etag or served.etag:
        return stored.etag == served.etag
    return stored.last_modified is not None and stored.last_modified == served.last_modified


def make_conditions(stored: Validators) -> dict[str, str]:
    """Return the headers that let a server respond with 304 for the stored version."""
    conditions = {"If-None-Match": stored.etag, "If-Modified-Since": stored.last_modified}
    return {name: value for name, value in conditions.items() if value}
