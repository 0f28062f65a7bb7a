"""First tier: the bundle as an algorithm."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_aggregator.core import BundleWriter
from data_aggregator.exceptions import BundleFullError, OutOfTimeError, SourceTooLargeError
from data_aggregator.schemas import Cut
from tests.support.tiers import scale

MIB = 2**20


class SourceBrokenError(Exception):
    pass


def make_writer(limit: int = 100 * MIB) -> tuple[io.BytesIO, BundleWriter]:
    file = io.BytesIO()
    return file, BundleWriter(file, level=1, limit=limit, check=lambda: None)


def broken_after(chunks: list[bytes]) -> Iterator[bytes]:
    yield from chunks
    raise SourceBrokenError


def test_newline_comes_only_where_one_is_missing_after_a_text() -> None:
    file, writer = make_writer()
    cuts = [writer.add([part]) for part in (b"one", b"two\n", b"", b"three")]
    assert writer.finish() == len(file.getvalue())
    assert gzip.decompress(file.getvalue()) == b"one\ntwo\nthree\n", "bundles may be joined, too"
    assert [(cut.offset, cut.length) for cut in cuts] == [(0, 3), (4, 4), (8, 0), (8, 5)]
    assert cuts[0].sha256 == hashlib.sha256(b"one").hexdigest()


def test_empty_source_at_the_end_changes_nothing() -> None:
    file, writer = make_writer()
    writer.add([b"one"])
    assert writer.add([]) == Cut(3, 0, hashlib.sha256(b"").hexdigest())
    writer.finish()
    assert gzip.decompress(file.getvalue()) == b"one\n"


def test_bundle_without_sources_is_valid_gzip() -> None:
    file, writer = make_writer()
    writer.finish()
    assert gzip.decompress(file.getvalue()) == b""


@pytest.mark.parametrize("chunks", [[b"small"], [b"x" * MIB] * 9], ids=["small", "large"])
def test_source_that_breaks_leaves_no_trace(chunks: list[bytes]) -> None:
    file, writer = make_writer()
    writer.add([b"before"])
    with pytest.raises(SourceBrokenError):
        writer.add(broken_after(chunks))
    cut = writer.add([b"after"])
    writer.finish()
    assert gzip.decompress(file.getvalue()) == b"before\nafter\n"
    assert cut.offset == 7


def test_small_sources_share_a_gzip_member_and_a_large_one_begins_its_own() -> None:
    file, writer = make_writer()
    for part in ([b"a"], [b"b"], [b"x" * MIB] * 9, [b"c"]):
        writer.add(part)
    writer.finish()
    rest, members = file.getvalue(), 0
    while rest:
        member = zlib.decompressobj(31)
        member.decompress(rest)
        rest, members = member.unused_data, members + 1
    assert members == 2


def test_source_that_does_not_fit_belongs_into_the_next_bundle() -> None:
    file, writer = make_writer(limit=10)
    writer.add([b"123456"])
    with pytest.raises(BundleFullError):
        writer.add([b"78901"])
    writer.add([b"7890"])
    writer.finish()
    assert gzip.decompress(file.getvalue()) == b"123456\n7890\n", "newlines do not count"


def test_large_source_that_overflows_after_megabytes_is_taken_back() -> None:
    file, writer = make_writer(limit=10 * MIB)
    writer.add([b"x" * 3 * MIB])
    with pytest.raises(BundleFullError):
        writer.add([b"y" * MIB] * 8)
    writer.finish()
    assert gzip.decompress(file.getvalue()) == b"x" * 3 * MIB + b"\n"


def test_source_above_the_limit_is_told_apart_from_a_full_bundle() -> None:
    _, writer = make_writer(limit=10)
    writer.add([b"1"])
    with pytest.raises(SourceTooLargeError, match="MAX_BUNDLE_INPUT_MB"):
        writer.add([b"x" * 11])


def test_check_ends_the_work_on_a_source() -> None:
    file = io.BytesIO()
    answers = iter([None, None, OutOfTimeError()])

    def check() -> None:
        if answer := next(answers):
            raise answer

    writer = BundleWriter(file, level=1, limit=MIB, check=check)
    writer.add([b"in time"])
    with pytest.raises(OutOfTimeError):
        writer.add([b"too", b"late"])
    writer.finish()
    assert gzip.decompress(file.getvalue()) == b"in time\n"


@pytest.mark.parametrize(
    "data",
    [
        "zwei Bytes je Zeichen".encode("utf-16"),
        "中文".encode("utf-16-le").join([b"\xff\xfe", b""]),
        "big\n".encode("utf-16-be"),
        "vier".encode("utf-32"),
        b"\x89PNG\r\n\x1a\n\0\0",
        b"text, and a NUL\0 byte",
        b"\x01\x02",
        b"ends with a newline, \0 or not\n",
    ],
)
def test_no_byte_is_added_to_what_is_no_text(data: bytes) -> None:
    for chunks in ([data], [data[at : at + 1] for at in range(len(data))]):
        file, writer = make_writer()
        cuts = [writer.add(chunks), writer.add([b"text"]), writer.add(chunks)]
        writer.finish()
        assert gzip.decompress(file.getvalue()) == data + b"text\n" + data
        assert [cut.length for cut in cuts] == [len(data), 4, len(data)]


@pytest.mark.parametrize(
    "text", ["ASCII", "Ünï", "\ufeffmark", "中文", "tab\t\x0c\x1b[0m"], ids=["ascii", "latin", "mark", "cjk", "escapes"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_newline_is_added_to_a_text_in_any_encoding_of_single_bytes(text: str, encoding: str) -> None:
    data = text.encode(encoding, "replace")
    file, writer = make_writer()
    writer.add([data])
    writer.add([data])
    writer.finish()
    assert gzip.decompress(file.getvalue()) == (data + b"\n") * 2


def test_nul_byte_behind_megabytes_of_text_is_seen() -> None:
    file, writer = make_writer()
    writer.add([b"x" * MIB] * 6 + [b"\0x"])
    writer.add([b"y"])
    writer.finish()
    assert gzip.decompress(file.getvalue()) == b"x" * 6 * MIB + b"\0xy\n"


def is_text(content: bytes) -> bool:
    """As the writer means it, for contents of a few bytes."""
    controls = set(range(0x20)) - {7, 8, 9, 10, 11, 12, 13, 27} | {0x7F}
    return not controls & set(content) and content[:2] not in {b"\xff\xfe", b"\xfe\xff"}


CHUNKS = st.lists(st.binary(max_size=40), max_size=4)


@settings(max_examples=scale(200, 20), deadline=None)
@given(st.lists(st.tuples(CHUNKS, st.booleans(), st.booleans()), max_size=12), st.integers(0, 3))
def test_cuts_tell_where_each_whole_source_lies(sources: list[tuple[list[bytes], bool, bool]], level: int) -> None:
    file = io.BytesIO()
    writer = BundleWriter(file, level=level, limit=100 * MIB, check=lambda: None)
    added: list[tuple[bytes, Cut]] = []
    for chunks, breaks, is_large in sources:
        padded = [*chunks, b"\0" * 5 * MIB] if is_large and len(sources) < 6 else chunks
        if breaks:
            with pytest.raises(SourceBrokenError):
                writer.add(broken_after(padded))
        else:
            added.append((b"".join(padded), writer.add(iter(padded))))
    size = writer.finish()
    assert size == len(file.getvalue())
    data = gzip.decompress(file.getvalue())
    assert len(data) == writer.offset
    expected, lacks_newline = b"", False
    for content, cut in added:
        if content and lacks_newline:
            expected += b"\n"
        lacks_newline = is_text(content) and not content.endswith(b"\n") if content else lacks_newline
        assert cut.offset == len(expected)
        assert cut.sha256 == hashlib.sha256(content).hexdigest()
        expected += content
        assert cut.length == len(content)
    assert data == expected + (b"\n" if lacks_newline else b"")
