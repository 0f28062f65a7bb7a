from collections.abc import Iterator

import pytest

from zip_worker.exceptions import KeyListError
from zip_worker.s3.key_lists import parse_manifest


def test_manifest_is_one_key_a_line() -> None:
    raw = "\ufeffa.pdf\r\n\n  \nb c.pdf\nü.pdf\n last.pdf".encode()
    for size in (1, 3, 1000):
        chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
        assert list(parse_manifest(chunks, "m")) == ["a.pdf", "b c.pdf", "ü.pdf", " last.pdf"]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [(b"ok\n\xff\xfe", "line 2: not UTF-8"), (b"ok\n" + b"x" * 1025, "line 2: longer than 1024 bytes")],
)
def test_unusable_manifest_is_reported_with_its_place(raw: bytes, problem: str) -> None:
    with pytest.raises(KeyListError, match=problem):
        list(parse_manifest([raw], "m.txt"))


def test_manifest_that_is_no_list_is_refused_after_its_first_piece() -> None:
    read = []

    def endless() -> Iterator[bytes]:
        while True:
            read.append(1)
            yield bytes(64 * 1024)

    with pytest.raises(KeyListError, match="line 1: longer than 1024 bytes"):
        list(parse_manifest(endless(), "huge.pdf"))
    assert len(read) == 1


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"\xff\xfea\x00", "UTF-16"),
        (b"a.pdf\ns3://source/b.pdf\n", "line 2: an s3:// URL"),
        (b'"source","a.pdf"\n', "CSV"),
        (b'["a.pdf",\n', "JSON"),
        (b'{"keys": ["a.pdf"]}', "JSON"),
    ],
)
def test_a_manifest_in_another_format_is_refused_with_a_hint(raw: bytes, hint: str) -> None:
    with pytest.raises(KeyListError, match=hint):
        list(parse_manifest([raw], "list"))


@pytest.mark.parametrize("key", ['a "quoted" word.pdf', "[draft] a.pdf", "{a}.txt", "s3/a", '"', "a,b.csv"])
def test_a_key_that_only_looks_like_another_format_is_taken(key: str) -> None:
    assert list(parse_manifest([key.encode()], "list")) == [key]
