import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.scripts.conftest import RunScript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "sub folder").mkdir(parents=True)
    for number in range(7):
        (folder / f"{number}.pdf").write_bytes(b"%PDF-" + bytes(number))
    (folder / "sub folder" / "naïve + 100 %.pdf").write_bytes(b"odd")
    (folder / ".hidden").write_bytes(b"secret")
    return folder


def read_bucket(s3: "S3Client") -> dict[str, bytes]:
    entries = s3.list_objects_v2(Bucket="source").get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket="source", Key=entry["Key"])["Body"].read() for entry in entries}


def test_folder_arrives_under_the_default_prefix(run_script: RunScript, s3: "S3Client", folder: Path) -> None:
    done = run_script("bulk_upload.sh", str(folder))

    assert done.returncode == 0, done.stderr
    assert read_bucket(s3) == {
        **{f"uploads/{number}.pdf": b"%PDF-" + bytes(number) for number in range(7)},
        "uploads/sub folder/naïve + 100 %.pdf": b"odd",
    }
    assert "8 files" in done.stdout
    assert s3.head_object(Bucket="source", Key="uploads/1.pdf")["ContentType"] == "application/pdf"


def test_options_are_obeyed_with_batches_smaller_than_the_folder(
    run_script: RunScript, s3: "S3Client", folder: Path
) -> None:
    done = run_script("bulk_upload.sh", "--prefix", "", "--parallel", "3", "--batch", "2", str(folder))

    assert done.returncode == 0, done.stderr
    assert len(read_bucket(s3)) == 8
    assert "0.pdf" in read_bucket(s3)


def test_generate_fills_the_folder_first(run_script: RunScript, s3: "S3Client", tmp_path: Path) -> None:
    done = run_script("bulk_upload.sh", "--generate", "4", str(tmp_path / "made"))

    assert done.returncode == 0, done.stderr
    uploaded = read_bucket(s3)
    assert len(uploaded) == 4
    assert all(content.startswith(b"%PDF-") for content in uploaded.values())


def test_failed_files_are_listed_and_fail_the_script(run_script: RunScript, s3: "S3Client", folder: Path) -> None:
    done = run_script("bulk_upload.sh", str(folder), SRC_BUCKET="no-such-bucket")

    assert done.returncode == 1
    assert "8 of 8 files were not uploaded" in done.stderr
    assert "0.pdf" in done.stderr
    assert "NoSuchBucket" in done.stderr


def test_empty_folder_is_a_clear_failure(run_script: RunScript, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = run_script("bulk_upload.sh", str(tmp_path / "empty"))

    assert done.returncode == 1
    assert "nothing to upload" in done.stderr


def test_missing_folder_is_a_clear_failure(run_script: RunScript, tmp_path: Path) -> None:
    done = run_script("bulk_upload.sh", str(tmp_path / "absent"))

    assert done.returncode == 1
    assert "is not a folder" in done.stderr


@pytest.mark.parametrize("arguments", [("--parallel", "0"), ("--batch", "x"), ("--generate",), ("--what",), ("a", "b")])
def test_wrong_arguments_are_refused(run_script: RunScript, arguments: tuple[str, ...]) -> None:
    assert run_script("bulk_upload.sh", *arguments).returncode == 2


def test_named_files_arrive_under_their_names(run_script: RunScript, s3: "S3Client", folder: Path) -> None:
    done = run_script("upload_pdfs.sh", str(folder / "1.pdf"), str(folder / "sub folder" / "naïve + 100 %.pdf"))

    assert done.returncode == 0, done.stderr
    assert read_bucket(s3) == {"uploads/1.pdf": b"%PDF-\x00", "uploads/naïve + 100 %.pdf": b"odd"}


def test_named_file_that_is_not_there_uploads_nothing(run_script: RunScript, s3: "S3Client", folder: Path) -> None:
    done = run_script("upload_pdfs.sh", str(folder / "1.pdf"), str(folder / "absent.pdf"))

    assert done.returncode == 1
    assert "absent.pdf is not a file" in done.stderr
    assert read_bucket(s3) == {}


def test_named_bucket_wins_over_the_source_bucket(run_script: RunScript, s3: "S3Client", folder: Path) -> None:
    file = str(folder / "1.pdf")

    done = run_script("upload_pdfs.sh", "--bucket", "target", "--prefix", "logs/", file)

    assert done.returncode == 0, done.stderr
    assert read_bucket(s3) == {}
    assert s3.get_object(Bucket="target", Key="logs/1.pdf")["Body"].read() == b"%PDF-" + bytes(1)
    assert run_script("upload_pdfs.sh", "--bucket", "", file).returncode == 2


def test_two_files_of_one_name_are_refused(run_script: RunScript, s3: "S3Client", tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.pdf").write_bytes(folder.encode())
    files = [str(tmp_path / folder / "same.pdf") for folder in "ab"]

    done = run_script("upload_pdfs.sh", *files)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "'uploads/same.pdf'" in done.stderr
    assert all(file in done.stderr for file in files)
    assert read_bucket(s3) == {}


def test_one_file_named_twice_is_uploaded_once(run_script: RunScript, s3: "S3Client", folder: Path) -> None:
    done = run_script("upload_pdfs.sh", str(folder / "1.pdf"), str(folder / "sub folder" / ".." / "1.pdf"))

    assert done.returncode == 0, done.stderr
    assert list(read_bucket(s3)) == ["uploads/1.pdf"]
    assert "1 files" in done.stdout


@pytest.mark.parametrize(("name", "reason"), [(b"b\xe9.pdf", "not UTF-8"), (b"b\x07.pdf", "control character")])
def test_a_file_whose_name_cannot_be_a_key_does_not_keep_the_others(
    run_script: RunScript, s3: "S3Client", folder: Path, name: bytes, reason: str
) -> None:
    odd = os.path.join(os.fsencode(folder), name)  # noqa: PTH118  # a Path holds text
    with open(odd, "wb") as file:  # noqa: PTH123
        file.write(b"odd")

    done = run_script("bulk_upload.sh", str(folder))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "1 of 9 files were not uploaded" in done.stderr
    assert reason in done.stderr
    assert len(read_bucket(s3)) == 8


@pytest.mark.parametrize("prefix", ["a/../", "./", "x\x07/"])
def test_a_prefix_that_clients_cannot_use_is_refused(
    run_script: RunScript, s3: "S3Client", folder: Path, prefix: str
) -> None:
    done = run_script("bulk_upload.sh", "--prefix", prefix, str(folder))

    assert done.returncode == 2
    assert "--prefix" in done.stderr
    assert read_bucket(s3) == {}
