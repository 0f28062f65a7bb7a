"""From a dataset's name and a query string to a plan, and the tag that every equal question gets."""

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
"""Part of every tag: raise it when the same rows are written as other bytes."""
_MAX_PARAMETERS = 500


@dataclass(frozen=True)
class ResolvedRequest:
    """A question and how it is going to be answered."""

    plan: Plan
    format: Format
    tag: str
    """The same for two questions exactly if their answers are the same bytes; 32 hexadecimal digits."""

    @property
    def dataset(self) -> Dataset:
        """The dataset that is asked."""
        return self.plan.dataset

    @property
    def filename(self) -> str:
        """What the answer is called where it is saved."""
        return name_file(self.dataset.name, self.plan.query, self.format.value)

    @property
    def estimate(self) -> int:
        """About how many bytes the answer has."""
        return self.plan.estimate_bytes(self.format)


def split_path(path: str) -> tuple[str, str | None]:
    """Return a path's dataset name and its extension, None where there is no dot.

    Raises:
        Problem: 400 if the name is not one that a dataset can have.
    """
    name, dot, extension = path.removeprefix("/").partition(".")
    if not _NAME.fullmatch(name) or re.search(r"[/\\\x00]", extension):
        detail = (
            "A dataset's name has 1 to 100 letters, digits, hyphens and underscores; one dot and a format follow it."
        )
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return name, extension if dot else None


def choose_format(extension: str) -> Format:
    """Return the format of an extension.

    Raises:
        Problem: 404 naming the formats that there are.
    """
    try:
        return Format(extension)
    except ValueError:
        formats = ", ".join(f".{format_}" for format_ in Format)
        detail = f"Datasets are not available as .{extension[:40]}; the formats are {formats}."
        raise Problem(HTTPStatus.NOT_FOUND, detail) from None


def read_pairs(query_string: str) -> list[tuple[str, str]]:
    """Return a query string's parameters, decoded; one without a value has the empty one.

    Args:
        query_string: as it came, one character for each byte.

    Raises:
        Problem: 400 if they are not UTF-8, or more than a question can have.
    """
    try:
        # Some clients send UTF-8 unescaped: as bytes it means the same as escaped.
        pairs = parse_qsl(query_string.encode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        return [(name.decode(), value.decode()) for name, value in pairs]
    except UnicodeDecodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, "The query string is not percent-encoded UTF-8.") from None
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, f"There are more than {_MAX_PARAMETERS} parameters.") from None


def make_reading(settings: Settings) -> Reading:
    """Return how datasets are to be read."""
    return Reading(
        batch_rows=settings.batch_rows,
        max_sort_rows=settings.max_sort_rows,
        max_sort_bytes=settings.memory.sort,
        memory=settings.memory,
        read_ahead_bytes=settings.read_ahead_bytes,
    )


def resolve_request(settings: Settings, store: Store, name: str, format_: Format, pairs: Pairs) -> ResolvedRequest:
    """Open the dataset and plan its answer, from metadata alone.

    Raises:
        DatasetError: there is no such dataset, it cannot be read, or it does not have what is asked for.
    """
    dataset = open_dataset(store, name)
    query = parse_query(pairs, dataset.comparison_schema, organisation_column=settings.organisation_column)
    plan = make_plan(dataset, query, make_reading(settings))
    return ResolvedRequest(plan, format_, make_tag(settings, plan, format_))


def make_tag(settings: Settings, plan: Plan, format_: Format) -> str:
    """Return the tag of a plan's answer: of the objects read, what is asked of them, and how it is written."""
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
