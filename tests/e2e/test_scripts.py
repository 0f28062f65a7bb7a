"""The shell scripts as a person uses them, against the deployed stack."""

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.e2e.stack import ROOT, Stack

_JOB_LINE = re.compile(r"^Job ([0-9a-f-]{36})", re.MULTILINE)


def run_script(name: str, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [ROOT / "scripts" / name, *arguments],
        env={**os.environ, "DOWNLOAD_DIR": str(folder / "downloads")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"
    return done.stdout


def remember_job(stack: Stack, output: str) -> str:
    found = _JOB_LINE.search(output)
    assert found, output
    stack.created.append(found[1])
    return found[1]


@pytest.fixture
def pdfs(stack: Stack, prefix: str, tmp_path: Path) -> dict[str, bytes]:
    run_script("bulk_upload.sh", "--generate", "60", "--prefix", prefix, str(tmp_path / "pdfs"), folder=tmp_path)
    return {file.name: file.read_bytes() for file in (tmp_path / "pdfs").iterdir()}


def test_flow_downloads_an_archive_of_what_was_uploaded(
    stack: Stack, prefix: str, pdfs: dict[str, bytes], tmp_path: Path
) -> None:
    output = run_script("test_flow.sh", prefix, folder=tmp_path)

    job_id = remember_job(stack, output)
    with zipfile.ZipFile(tmp_path / "downloads" / f"{job_id}.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == pdfs
    assert re.search(r"Files: +60\b", output)
    assert "X-Amz-Signature" not in output


def test_printed_curl_lines_work_when_pasted(stack: Stack, prefix: str, pdfs: dict[str, bytes], tmp_path: Path) -> None:
    if os.environ.get("API_AUTH", "NONE") != "NONE" or not stack.is_local:
        pytest.skip("the lines for AWS need credentials in the shell's own variables")
    output = run_script("test_flow.sh", prefix, folder=tmp_path)
    job_id = remember_job(stack, output)
    lines: dict[str, str] = dict(re.findall(r"^# (.+)\n(curl .+)$", output, re.MULTILINE))

    answers = {
        what: subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for what, line in lines.items()
    }

    assert len(lines) == 5
    assert '"PENDING"' in answers["create a job"]
    assert '"READY"' in answers["look how far it is"]
    assert '"EXPIRED"' in answers["cancel a job, or delete its archive"]
    assert job_id in answers["list the newest jobs"]
    with zipfile.ZipFile(tmp_path / "archive.zip") as archive:
        assert sorted(archive.namelist()) == sorted(pdfs)


def test_flow_without_a_prefix_takes_the_whole_bucket(
    stack: Stack, prefix: str, pdfs: dict[str, bytes], tmp_path: Path
) -> None:
    if not stack.is_local:
        pytest.skip("a bucket in AWS may hold anything")

    output = run_script("test_flow.sh", "", folder=tmp_path)

    job_id = remember_job(stack, output)
    with zipfile.ZipFile(tmp_path / "downloads" / f"{job_id}.zip") as archive:
        archived = {archive.read(name) for name in archive.namelist()}
    assert set(pdfs.values()) <= archived


def test_named_files_are_uploaded(stack: Stack, prefix: str, tmp_path: Path) -> None:
    run_script("generate_pdfs.sh", "2", str(tmp_path / "two"), folder=tmp_path)
    files = sorted((tmp_path / "two").iterdir())

    run_script("upload_pdfs.sh", "--prefix", prefix, *map(str, files), folder=tmp_path)

    for file in files:
        stored = stack.s3.get_object(Bucket=stack.source, Key=prefix + file.name)
        assert stored["Body"].read() == file.read_bytes()


def test_failed_job_fails_the_flow(stack: Stack, prefix: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "test_flow.sh", prefix], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert f"no objects under s3://{stack.source}/{prefix}" in done.stderr
