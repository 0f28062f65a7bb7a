"""Reads one response of the ZIP jobs API for a shell script.

``job_response field FILE NAME`` prints one field. ``job_response progress FILE`` prints status, percent and a sentence,
separated by U+001F, which cannot occur in any of them. ``job_response problem FILE`` prints the error message.
"""

import json
import sys
from pathlib import Path
from typing import Any

from lib.common.units import describe_bytes

_SEPARATOR = "\x1f"


def describe_progress(job: dict[str, Any]) -> tuple[str, int, str]:
    """Return a job's status, its percentage as an integer and a sentence on its progress."""
    status = job["status"]
    if status == "READY":
        return status, 100, f"{job['files']} files, {describe_bytes(job['sizeBytes'])}"
    if status != "PENDING":
        return status, 0, str(job.get("error") or status.lower())
    if not job.get("filesTotal"):
        return status, 0, _add_last_error(str(job.get("phase", "pending")), job)
    text = f"{job['filesDone'] or 0} of {job['filesTotal']} files"
    if job.get("bytesTotal"):
        text += f", {describe_bytes(job['bytesDone'] or 0)} of {describe_bytes(job['bytesTotal'])}"
    return status, int(job.get("percent") or 0), _add_last_error(text, job)


def describe_problem(text: str) -> str:
    """Return the message of an error response: the problem's detail and fields, or the raw body."""
    try:
        problem = json.loads(text)
    except ValueError:
        return text.strip()[:500] or "no body"
    if not isinstance(problem, dict):
        return text.strip()[:500]
    said = str(problem.get("detail") or problem.get("message") or problem.get("title") or text)
    fields = [f"{one.get('field')}: {one.get('detail')}" for one in problem.get("errors") or []]
    return "; ".join([said, *fields])


def _add_last_error(text: str, job: dict[str, Any]) -> str:
    return f"{text} (trying again after: {job['lastError']})" if job.get("lastError") else text


def main() -> int:
    """Run from the command line; the exit status is 1 if the response is not a job."""
    what, file, *rest = sys.argv[1:]
    text = Path(file).read_text(encoding="utf-8")
    if what == "problem":
        print(describe_problem(text))
        return 0
    try:
        job = json.loads(text)
        if what == "field":
            value = job[rest[0]]
            print("" if value is None else value)
        else:
            print(_SEPARATOR.join(map(str, describe_progress(job))).replace("\n", " "))
    except (ValueError, KeyError, TypeError) as error:
        print(f"not the answer of a ZIP jobs API ({error!r}): {text[:500]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
