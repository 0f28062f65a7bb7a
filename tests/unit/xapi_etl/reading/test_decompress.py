"""Compression and unsupported formats, both recognised by an object's first bytes."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
import zstandard

from tests.unit.xapi_etl.conftest import Etl, find_event
from tests.unit.xapi_etl.statements import make_statements, write_lines


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
def test_object_is_read_by_its_contents_whatever_its_name(etl: Etl, pack: type[bytes]) -> None:
    assert etl.deliver(etl.put("statements/misnamed.txt", pack(write_lines(make_statements(5))))) == []
    assert etl.count() == 5


GOOD = write_lines(make_statements(3))


def write_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jsonl", GOOD)
    return file.getvalue()


@pytest.mark.usefixtures("defaults")
@pytest.mark.parametrize(
    ("contents", "name"),
    [
        (GOOD.decode().encode("utf-16"), "UTF-16"),
        (GOOD.decode().encode("utf-16-le"), "UTF-16 without"),
        (GOOD.decode().encode("utf-16-be"), "UTF-16 without"),
        (GOOD.decode().encode("utf-32"), "UTF-32"),
        (bz2.compress(GOOD), "bzip2"),
        (lzma.compress(GOOD), "xz"),
        (write_zip(), "a ZIP archive"),
        (b"PAR1" + GOOD, "Parquet"),
    ],
)
def test_other_formats_are_named(etl: Etl, caplog: pytest.LogCaptureFixture, contents: bytes, name: str) -> None:
    body = etl.put("statements/a", contents)
    assert etl.deliver(body) == [body]
    failed = find_event(caplog, "object_failed")
    assert (failed.reason_code, failed.is_final) == ("unknown_format", True)
    assert failed.reason.startswith(f"the object is {name}")
    assert "gzip" in failed.reason
