"""The saved queries, and what the services' READMEs say that is logged."""

import re
from functools import cache
from pathlib import Path

from tests.support.emulator import ROOT

FOLDER = ROOT / "infra/queries"
QUERIES = sorted(FOLDER.glob("*/*.query"))
SERVICES = sorted({path.parent.name for path in QUERIES})
COMMON = {"level", "ts", "service", "event", "former_event", "aws_request_id"}
_PACKAGES = {"zip_jobs": ["zip_enqueue", "zip_status", "zip_worker"]}
_KEYWORDS = {
    "and",
    "as",
    "asc",
    "by",
    "desc",
    "display",
    "fields",
    "filter",
    "in",
    "like",
    "limit",
    "not",
    "or",
    "sort",
}
_KEYWORDS |= {"parse", "stats"}


def read_events(readme: Path, *levels: str) -> dict[str, set[str]]:
    """Fields by event, from the README's table with the columns event, level and fields; of these levels, if any."""
    rows = re.findall(r"^\| (`[a-z]\w+`.*?) \| ([A-Z]+)\b[^|]*\|(.*)\|$", readme.read_text(), re.MULTILINE)
    events: dict[str, set[str]] = {}
    above: set[str] = set()
    for names, level, text in rows:
        fields = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", text))) | (above if "the same" in text else set())
        above = fields
        if not levels or level in levels:
            events |= dict.fromkeys(re.findall(r"`(\w+)`", names), fields)
    return events


@cache
def read_service(service: str, *levels: str) -> dict[str, set[str]]:
    """The same for all packages of a service."""
    events: dict[str, set[str]] = {}
    for package in _PACKAGES.get(service, [service]):
        for event, fields in read_events(ROOT / "lambdas" / package / "README.md", *levels).items():
            # The worker's lines all have it, as its README says above the table.
            common = {"job_id"} if package == "zip_worker" else set()
            events[event] = events.get(event, set()) | fields | common
    return events


def read_access_log() -> set[str]:
    """Fields of the HTTP API's own log, which the Terraform gives it."""
    terraform = (ROOT / "infra/modules/http_api/main.tf").read_text()
    (block,) = re.findall(r"format = jsonencode\(\{(.*?)\}\)", terraform, re.DOTALL)
    return set(re.findall(r"^ *(\w+) += ", block, re.MULTILINE))


def list_fields(service: str) -> set[str]:
    """All fields that some line of the service has."""
    return COMMON.union(*read_service(service).values(), read_access_log() if service == "zip_jobs" else set())


def read_query(text: str) -> tuple[set[str], set[str]]:
    """The events that a query is about, and the fields that it names beside CloudWatch's own (@...)."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    parsed = set(re.findall(r"""'"(\w+)":""", body))
    bare = re.sub(r"""'[^'\n]*'|/[^/\n]*/|@\w+( = "[^"]*")?""", " ", body)
    events = set(re.findall(r'"(\w+)"', re.sub(r"\w+\([^)]*\)", " ", bare)))
    named = set(re.findall(r"\b[a-z_]\w*\b(?! *\()", re.sub(r'"[^"]*"', " ", bare), re.IGNORECASE))
    made = set(re.findall(r"\bas (\w+)", bare)) | set(re.findall(r"\?<(\w+)>", body))
    return events, parsed | named - _KEYWORDS - made
