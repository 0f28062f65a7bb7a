"""The saved queries of ``infra/queries/<service>/<name>.query``, and the fields that their services log."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path


class QueryNameError(LookupError):
    """No query has this name; the message lists similar ones."""


@dataclass(frozen=True)
class SavedQuery:
    """A question about a service's logs, as a Logs Insights query."""

    service: str
    """With hyphens, as functions are named."""
    name: str
    """``<folder>/<file>`` without the ending."""
    question: str
    insights: str
    fields: dict[str, str]
    """DuckDB's type by name, of all that the service logs."""


def list_names(folder: Path) -> list[str]:
    """Return the names of all queries."""
    return sorted(f"{file.parent.name}/{file.stem}" for file in folder.glob("*/*.query"))


def read_saved_query(folder: Path, name: str) -> SavedQuery:
    """Return a query by its name; ``zip-jobs/failed-jobs`` and a unique ``failed-jobs`` are also accepted.

    Raises:
        QueryNameError: no query or more than one matches.
    """
    service, _, stem = name.removesuffix(".query").rpartition("/")
    service = service.replace("-", "_")
    names = list_names(folder)
    found = [known for known in names if known == f"{service}/{stem}" or (not service and known.endswith(f"/{stem}"))]
    if len(found) != 1:
        raise QueryNameError(_explain(name, found or find_near(names, f"{service}/{stem}".strip("/"))))
    file = folder / found[0]
    text = file.with_suffix(".query").read_text(encoding="utf-8")
    return SavedQuery(
        service=file.parent.name.replace("_", "-"),
        name=found[0],
        question=read_question(text),
        insights=text,
        fields=json.loads((file.parent / "fields.json").read_text(encoding="utf-8")),
    )


def read_question(text: str) -> str:
    """Return the text of a query's first line, which is a comment."""
    return text.partition("\n")[0].lstrip("# ")


def find_near(names: list[str], name: str) -> list[str]:
    """Return up to five names similar to this one, with or without the service."""
    stem = name.rpartition("/")[2]
    by_stem = [known for known in names if stem and stem in known]
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.6)
    stems = difflib.get_close_matches(stem, [known.rpartition("/")[2] for known in names], n=3, cutoff=0.6)
    by_near_stem = [known for known in names if known.rpartition("/")[2] in stems]
    return list(dict.fromkeys([*near, *by_stem, *by_near_stem]))[:5]


def _explain(name: str, near: list[str]) -> str:
    hint = f"did you mean {', '.join(near)}?" if near else "`make insights QUERY=` lists all"
    return f"there is no one query '{name}'; {hint}"
