"""Writes Terraform's outputs for scripts, checks and shells.

`terraform output -json | write_outputs.py FOLDER [--sample-files URL]` writes two files. FOLDER/outputs.json holds
plain `name: value`. FOLDER/outputs.env exports the same names in upper case, so that the AWS CLI, boto3 and curl find
the deployment in a shell that has sourced it. For the offline stack it also exports credentials, which are the same
on every machine, and the address of the sample files.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from lib.common.settings import LOCAL_CREDENTIALS, SOURCED, is_loopback

HEADER = """\
# Written by the last deployment. Source it: . .local/outputs.env
# To change a value for the scripts, set it in .env, which wins over this file.
"""


def read_values(text: str) -> dict[str, Any]:
    """Return name → value from the output of `terraform output -json`; raises ValueError for other text."""
    outputs = json.loads(text)
    if not isinstance(outputs, dict) or not all(isinstance(each, dict) for each in outputs.values()):
        raise ValueError("expected the object that `terraform output -json` prints")
    return {name: output["value"] for name, output in sorted(outputs.items())}


def collect_variables(values: dict[str, Any], sample_files: str) -> dict[str, str]:
    """Return the environment variables of a deployment.

    A value that is not a string becomes JSON, null an empty string. An AWS deployment gets no endpoint and no
    credentials: the shell keeps its own.
    """
    variables = {name.upper(): _to_text(value) for name, value in values.items()}
    if region := variables.get("AWS_REGION"):
        variables["AWS_DEFAULT_REGION"] = region  # the name that boto3 and version 1 of the AWS CLI read
    if is_loopback(variables.get("AWS_ENDPOINT_URL", "")):
        variables |= LOCAL_CREDENTIALS | {"AWS_SESSION_TOKEN": ""}
        if sample_files:
            variables["SAMPLE_FILES_URL"] = sample_files
    elif not variables.get("AWS_ENDPOINT_URL"):
        variables.pop("AWS_ENDPOINT_URL", None)
    return variables | {SOURCED: "yes"}


def format_variables(variables: dict[str, str]) -> str:
    """Return `export NAME=value` lines, quoted for a shell and sorted by name."""
    return HEADER + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))


def _to_text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def write(target: Path, text: str) -> None:
    """Replace a file at once, so that a reader never sees half of it; its owner alone may read it."""
    draft = target.with_suffix(".part")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)


def main(arguments: list[str]) -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="terraform output -json | write_outputs.py")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample-files", default="", metavar="URL", help="address of the offline stack's sample files")
    chosen = parser.parse_args(arguments)
    try:
        values = read_values(sys.stdin.read())
    except (ValueError, KeyError) as error:
        print(f"cannot read Terraform's outputs: {error}", file=sys.stderr)
        return 1
    folder: Path = chosen.folder
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "outputs.json", json.dumps(values, indent=2) + "\n")
    write(folder / "outputs.env", format_variables(collect_variables(values, chosen.sample_files)))
    print(f"outputs: {folder / 'outputs.json'}, {folder / 'outputs.env'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
