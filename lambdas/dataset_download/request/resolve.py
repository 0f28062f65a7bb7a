"""Resolution of a request: from a dataset's name and a query string to a plan and a tag."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from dataset_download.datasets.dataset import Dataset, Store, open_dataset
from dataset_download.datasets.names import NAME_PATTERN
from dataset_download.formats.format import Format
from dataset_download.planning.plan import Plan, Reading, make_plan
from dataset_download.query.parameters import parse_query
from dataset_download.settings import Settings

from .headers import name_file
from .problem import Problem

type Pairs = Sequence[tuple[str, str]]

_NAME = re.compile(NAME_PATTERN)
_ENCODING_VERSION = 2
"""Part of every tag. Increase it when the same rows are encoded as different bytes."""
_MAX_PARAMETERS = 500


@dataclass(frozen=True)
class ResolvedRequest:
    """A request with its plan and its tag."""

    plan: Plan
    format: Format
    tag: str
    """Equal for two requests exactly if their results have the same bytes; 32 hexadecimal digits."""

    @property
    def dataset(self) -> Dataset:
        """The requested dataset."""
        return self.plan.dataset

    @property
    def filename(self) -> str:
        """The file name of the download."""
        return name_file(self.dataset.name, self.plan.query, self.format.value)

    @property
    def estimate(self) -> int:
        """The estimated size of the result in bytes."""
        return self.plan.estimate_bytes(self.format)


def split_path(path: str) -> tuple[str, str | None]:
    """Return the dataset name and the extension of a path; the extension is None without a dot.

    Raises:
        Problem: 400 if the name is not a valid dataset name.
    """
    name, dot, extension = path.removeprefix("/").partition(".")
    if not _NAME.fullmatch(name) or re.search(r"[/\\\x00]", extension):
        detail = (
            "A dataset's name has 1 to 100 letters, digits, hyphens and underscores; one dot and a format follow it."
        )
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return name, extension if dot else None


def choose_format(extension: str) -> Format:
    """Return the format that an extension stands for.

    Raises:
        Problem: 404, with the list of formats, if there is none.
    """
    try:
        return Format(extension)
    except ValueError:
        formats = ", ".join(f".{format_}" for format_ in Format)
        detail = f"Datasets are not available as .{extension[:40]}; the formats are {formats}."
        raise Problem(HTTPStatus.NOT_FOUND, detail) from None


def read_pairs(query_string: str) -> list[tuple[str, str]]:
    """Return the decoded parameters of a query string; a parameter without a value has an empty one.

    Args:
        query_string: the raw query string, one character per byte.

    Raises:
        Problem: 400 if the parameters are not UTF-8, or too many.
    """
    try:
        # Some clients send unescaped UTF-8, which is read like its escaped form.
        pairs = parse_qsl(query_string.encode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        return [(name.decode(), value.decode()) for name, value in pairs]
    except UnicodeDecodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, "The query string is not percent-encoded UTF-8.") from None
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, f"There are more than {_MAX_PARAMETERS} parameters.") from None


def make_reading(settings: Settings) -> Reading:
    """Return the options for reading datasets."""
    return Reading(
        batch_rows=settings.batch_rows,
        max_sort_rows=settings.max_sort_rows,
        max_sort_bytes=settings.memory.sort,
        memory=settings.memory,
        read_ahead_bytes=settings.read_ahead_bytes,
    )


def resolve_request(settings: Settings, store: Store, name: str, format_: Format, pairs: Pairs) -> ResolvedRequest:
    """Open the dataset and plan the query, from metadata alone.

    Raises:
        DatasetError: the dataset does not exist, cannot be read, or does not fit the query.
    """
    dataset = open_dataset(store, name)
    query = parse_query(pairs, dataset.comparison_schema, organisation_column=settings.organisation_column)
    plan = make_plan(dataset, query, make_reading(settings))
    return ResolvedRequest(plan, format_, make_tag(settings, plan, format_))


def make_tag(settings: Settings, plan: Plan, format_: Format) -> str:
    """Return the tag of a plan's result: a hash of the objects, the query and the encoding."""
    facts = [
        _ENCODING_VERSION,
        settings.dataset_bucket,
        settings.dataset_prefix,
        plan.dataset.name,
        plan.dataset.etag,
        plan.query.canonical,
        format_.value,
        settings.batch_rows if format_ is Format.PARQUET else 0,
        settings.formula_guard and format_ is Format.CSV,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
