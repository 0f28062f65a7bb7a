"""First tier: decompressing what nobody vouches for."""

import bz2
import gzip
import lzma
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterable

import pytest
from backports import zstd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data_aggregator.exceptions import CorruptSourceError
from data_aggregator.reading.decompression import Content
from tests.support.tiers import scale

MIB = 2**20
SKIPPABLE = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"extra"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
MAGICS = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh")
FORMATS = st.sampled_from(sorted(PACK))
SUFFIX = {"gzip": ".gz", "zstd": ".zst", "bzip2": ".bz2", "xz": ".xz"}


def split(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(blocks: Iterable[bytes], key: str = "k", coding: str = "") -> tuple[bytes, list[str]]:
    content = Content(blocks, key, lambda: coding)
    return b"".join(content), content.decompressed


@settings(max_examples=scale(200, 20), deadline=None)
@given(FORMATS, st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(0, 9), st.integers(1, 400))
def test_members_in_any_pieces_are_one_stream(form: str, members: list[bytes], padding: int, size: int) -> None:
    assume(not b"".join(members).startswith(MAGICS))
    packed = b"".join(map(PACK[form], members)) + b"\0" * padding
    data, found = read(split(packed, size))
    assert data == b"".join(members)
    assert found[0] == form


@settings(max_examples=scale(200, 20), deadline=None)
@given(FORMATS, st.binary(min_size=1, max_size=300), st.integers(1, 60), st.data())
def test_truncated_data_is_refused(form: str, content: bytes, size: int, data: st.DataObject) -> None:
    packed = PACK[form](content) * 2
    end = data.draw(st.integers(1, len(packed) - 1).filter(lambda end: end != len(packed) // 2))
    with pytest.raises(CorruptSourceError, match=r"end in the middle|not valid"):
        read(split(packed[:end], size), f"k{SUFFIX[form]}")


@pytest.mark.parametrize("form", sorted(PACK))
@pytest.mark.parametrize("garbage", [b"garbage", b"\n", b"\0\0x", b"PK\x03\x04" * 2000])
def test_what_follows_the_last_member_is_called_what_it_is(form: str, garbage: bytes) -> None:
    with pytest.raises(CorruptSourceError, match=f"bytes that are not {form} follow its 2 complete members"):
        read([PACK[form](b"a" * 9000) * 2 + garbage])


@settings(max_examples=scale(300, 20), deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["k", "k.gz", "k.zst", "k.bz2", "k.xz"]))
def test_any_bytes_give_bytes_or_one_kind_of_error(data: bytes, key: str) -> None:
    try:
        content, found = read([data], key)
    except CorruptSourceError:
        return
    assert found or not data or (key == "k" and content == data)


@pytest.mark.parametrize("form", sorted(PACK))
@pytest.mark.parametrize("key", ["data", "data.json", "a/b.tgz", "k.gz", "K.ZST"])
def test_first_bytes_tell_the_format_whatever_the_name(form: str, key: str) -> None:
    assert read([PACK[form](b"a line\n")], key) == (b"a line\n", [form])


@pytest.mark.parametrize(
    ("coding", "packs", "found"),
    [
        ("gzip, zstd", ["gzip", "zstd"], ["zstd", "gzip"]),
        ("GZIP ,x-gzip", ["gzip", "gzip"], ["gzip", "gzip"]),
        ("x-bzip2", ["bzip2"], ["bzip2"]),
        ("gzip,aws-chunked", ["gzip"], ["gzip"]),
        ("utf-8", [], []),
        ("identity", ["zstd"], ["zstd"]),
        ("gzip", ["zstd"], ["zstd"]),
        ("", ["gzip", "bzip2", "xz"], ["xz", "bzip2", "gzip"]),
    ],
)
def test_chain_of_codings_is_undone_from_the_last(coding: str, packs: list[str], found: list[str]) -> None:
    data = b"a line\n" * 100
    for name in packs:
        data = PACK[name](data)
    assert read(split(data, 7), coding=coding) == (b"a line\n" * 100, found)


def test_name_and_coding_may_mean_the_same_compression_or_two() -> None:
    once = gzip.compress(b"x")
    assert read([once], "k.json.gz", "gzip") == (b"x", ["gzip"])
    assert read([gzip.compress(once)], "k.json.gz", "gzip") == (b"x", ["gzip", "gzip"])


@pytest.mark.parametrize("wrapped", [True, False])
def test_deflate_is_known_by_its_coding_alone(wrapped: bool) -> None:
    pack = zlib.compressobj(wbits=15 if wrapped else -15)
    data = pack.compress(b"a line\n") + pack.flush()
    assert read([data], coding="deflate") == (b"a line\n", ["deflate"])
    assert read([data]) == (data, [])
    with pytest.raises(CorruptSourceError, match=r"not valid deflate data|end in the middle"):
        read([b"plain text"], coding="deflate")


@pytest.mark.parametrize("coding", ["br", "gzip, br", "br, gzip", "compress"])
def test_coding_that_nothing_here_undoes_is_refused_with_its_name(coding: str) -> None:
    data = gzip.compress(b"\x0b\x02\x80") if coding.endswith("gzip") else b"\x0b\x02\x80"
    with pytest.raises(CorruptSourceError, match=r"Content-Encoding .* is not supported: (br|compress)"):
        read([data], coding=coding)


@pytest.mark.parametrize(
    ("key", "coding", "says"),
    [
        ("k.gz", "", "not gzip data, although its name says so"),
        ("k", "zstd", "not zstd data, although its Content-Enc"),
    ],
)
def test_plain_data_that_are_said_to_be_compressed_are_refused(key: str, coding: str, says: str) -> None:
    with pytest.raises(CorruptSourceError, match=says):
        read([b"plain text"], key, coding)
    assert read([], key, coding) == (b"", []), "an empty object is empty"


@pytest.mark.parametrize(
    "text",
    [b"BZh", b"BZh9", b"BZh9 is a magic number\n", b"BZhello", b"\x1f\x8b", b"P*M\x18ps", b"\x28\xb5\x2f", b"\xfd7zXZ"],
)
def test_what_only_begins_like_a_format_is_left_alone(text: bytes) -> None:
    assert read([text]) == (text, [])
    assert read(split(text, 1)) == (text, [])


def test_skippable_frames_of_zstandard_are_skipped_and_those_of_lz4_are_not_taken_for_it() -> None:
    assert read([SKIPPABLE + zstd.compress(b"x") + SKIPPABLE]) == (b"x", ["zstd"])
    lz4 = SKIPPABLE + b"\x04\x22\x4d\x18" + bytes(10)
    assert read([lz4]) == (lz4, [])


def test_damage_inside_is_found_by_the_checksum() -> None:
    options = {int(zstd.CompressionParameter.checksum_flag): 1}
    for packed in (gzip.compress(b"a" * 100), bz2.compress(b"a" * 100), zstd.compress(b"a" * 100, options=options)):
        damaged = packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:]
        with pytest.raises(CorruptSourceError):
            read([damaged])


def test_frame_that_needs_a_dictionary_is_refused() -> None:
    samples = [b"a sample of a line number %d\n" % number for number in range(1000)]
    packed = zstd.compress(b"a sample of a line", zstd_dict=zstd.train_dict(samples, 4096))
    with pytest.raises(CorruptSourceError, match="not valid zstd data"):
        read([packed])


def test_file_that_decompresses_to_itself_has_an_end() -> None:
    data = b"x"
    for _ in range(4):
        data = gzip.compress(data)
    with pytest.raises(CorruptSourceError, match="more than 3 times"):
        read([data])


def test_window_is_bounded() -> None:
    def make_empty_frame(window_log: int) -> bytes:
        return b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3]) + b"\x01\x00\x00"

    assert read([make_empty_frame(27)]) == (b"", ["zstd"])
    with pytest.raises(CorruptSourceError, match="not valid zstd data"):
        read([make_empty_frame(28)])


@pytest.mark.parametrize("form", sorted(PACK))
def test_bomb_comes_in_pieces_of_a_bounded_size(form: str) -> None:
    packed = PACK[form](PACK[form](b"\0" * 40 * MIB))
    tracemalloc.start()
    content = Content([packed], "k", str)
    sizes = [len(piece) for piece in content]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == 40 * MIB
    assert max(sizes) <= MIB
    assert peak < 32 * MIB, "two windows of 8 MB at the most"


@pytest.mark.parametrize("at", range(1, 60, 3))
def test_header_with_several_fields_may_lie_across_two_blocks(at: int) -> None:
    plain = gzip.compress(b"second")
    header = plain[:3] + b"\x1e" + plain[4:10] + b"\x05\x00extra" + b"name\0" + b"comment\0"
    member = header + (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") + plain[10:]
    file = gzip.compress(b"first ") + member
    assert gzip.decompress(file) == b"first second"
    assert read([file[:at], file[at:]])[0] == b"first second"


def test_header_may_lie_across_two_pieces_of_a_block() -> None:
    first = random.Random(1).randbytes(64 * 1024 - 40)
    plain = gzip.compress(b"second")
    member = plain[:3] + b"\x18" + plain[4:10] + b"name\0" + b"comment\0" + plain[10:]
    for shorter in range(40):
        file = gzip.compress(first[shorter:]) + member
        assert read([file])[0] == first[shorter:] + b"second"
