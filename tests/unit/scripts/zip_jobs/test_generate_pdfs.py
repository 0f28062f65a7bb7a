import re
import zlib
from pathlib import Path

import pytest

from lib.zip_jobs.pdf_documents import draw_document
from tests.unit.scripts.conftest import RunScript


def objects_by_xref(pdf: bytes) -> dict[int, bytes]:
    """Return the bytes at every used offset of the cross-reference table, as a viewer finds its objects."""
    start = int(pdf[pdf.rindex(b"startxref") :].split()[1])
    table = re.match(rb"xref\s+0 (\d+)\s+((?:\d{10} \d{5} [nf]\s+)+)trailer", pdf[start:])
    assert table, "startxref does not lead to a cross-reference table"
    entries = re.findall(rb"(\d{10}) \d{5} ([nf])", table[2])
    assert len(entries) == int(table[1])
    return {number: pdf[int(offset) :] for number, (offset, used) in enumerate(entries) if used == b"n"}


@pytest.mark.parametrize("number", range(1, 41))
def test_document_is_a_pdf_whose_cross_references_hold(number: int) -> None:
    pdf = draw_document(1, number)

    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    objects = objects_by_xref(pdf)
    for identifier, content in objects.items():
        assert content.startswith(b"%d 0 obj" % identifier)
    root = re.search(rb"/Root (\d+) 0 R", pdf)
    assert root
    assert b"/Catalog" in objects[int(root[1])][:200]


@pytest.mark.parametrize("number", range(1, 21))
def test_document_has_one_to_five_pages_with_text(number: int) -> None:
    pdf = draw_document(1, number)
    pages = len(re.findall(rb"/Type /Page\b(?!s)", pdf))
    found = re.findall(rb"/FlateDecode \][^>]*>>\s*stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    streams = [zlib.decompress(stream) for stream in found]

    assert 1 <= pages <= 5
    assert sum(b" Tj" in stream for stream in streams) == pages


def test_sizes_vary_from_a_few_to_hundreds_of_kilobytes() -> None:
    sizes = [len(draw_document(1, number)) for number in range(1, 101)]

    assert min(sizes) < 4_000
    assert max(sizes) > 150_000
    assert max(sizes) <= 300_000


def test_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert draw_document(7, 3) == draw_document(7, 3)
    assert draw_document(7, 3) != draw_document(8, 3)


def test_script_writes_as_many_files_as_asked(run_script: RunScript, tmp_path: Path) -> None:
    done = run_script("generate_pdfs.sh", "120", str(tmp_path / "new" / "folder"))

    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert len(files) == 120
    assert all(file.suffix == ".pdf" and file.read_bytes().startswith(b"%PDF-") for file in files)
    assert "120 PDFs" in done.stdout


def test_more_documents_leave_the_first_ones_as_they_are(run_script: RunScript, tmp_path: Path) -> None:
    run_script("generate_pdfs.sh", "5", str(tmp_path / "few"))
    run_script("generate_pdfs.sh", "101", str(tmp_path / "many"))

    for file in (tmp_path / "few").iterdir():
        assert (tmp_path / "many" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("count", ["0", "-3", "ten", "1.5", "", "99999999999999999999"])
def test_wrong_count_is_refused(run_script: RunScript, tmp_path: Path, count: str) -> None:
    done = run_script("generate_pdfs.sh", count, str(tmp_path / "out"))

    assert done.returncode == 2
    assert "generate_pdfs.sh:" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", ["1", "120"])
def test_folder_that_cannot_be_is_named(run_script: RunScript, tmp_path: Path, count: str) -> None:
    (tmp_path / "file").write_bytes(b"")

    done = run_script("generate_pdfs.sh", count, str(tmp_path / "file" / "folder"))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"cannot write to {tmp_path / 'file' / 'folder'}" in done.stderr
