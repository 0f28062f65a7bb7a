"""Schemathesis against the served OpenAPI document: what comes back is documented, and never a fault of the server."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.dataset_download.servers import Server

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method"
)


@pytest.mark.slow
# Without a dataset's name the fuzzer draws names, of which none is a dataset's.
@pytest.mark.parametrize(("dataset", "phases"), [("", "fuzzing"), ("customers", "examples,coverage,fuzzing")])
def test_a_fuzzer_finds_no_fault(server: Server, tmp_path: Path, dataset: str, phases: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.dataset" = "{dataset}"\n' if dataset else "")
    command = ["run", f"{server.url}/openapi.json", "--checks", CHECKS, "--max-examples", "10", "--seed", "6"]
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *command,
            "--phases",
            phases,
            "--warnings",
            "off",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "No issues found" in done.stdout
    assert '"request_failed"' not in server.read_log()
    if dataset:
        assert f'"dataset":"{dataset}"' in server.read_log()
