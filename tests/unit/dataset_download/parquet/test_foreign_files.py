"""Parquet files of other writers: types, statistics, codecs and footers that Arrow does not write."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from dataset_download.exceptions import CorruptDatasetError
from dataset_download.pages.overview import describe_columns
from dataset_download.query.gregorian import read_day, write_day
from tests.unit.dataset_download.memory_s3 import MemoryS3, put
from tests.unit.dataset_download.parquet import footer_fuzz
from tests.unit.dataset_download.parquet.thrift_footer import Tree, binary, change, flag, get_column, number, tree

ROOT = Path(__file__).parents[4]
UUID = "12345678-9abc-def0-1234-56789abcdef0"


def encode(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def keep(file: bytes) -> MemoryS3:
    store = MemoryS3()
    store.objects["data.parquet"] = file
    return store


def write_duckdb(tmp_path: Path, select: str) -> bytes:
    path = tmp_path / "duckdb.parquet"
    duckdb.sql(f"copy ({select}) to '{path}' (format parquet)")
    return path.read_bytes()


def query_duckdb(query: str) -> list[Any]:
    relation = duckdb.sql(query)
    assert relation is not None
    rows: list[Any] = relation.fetchall()
    return rows


def annotate(column: int, **fields: Any) -> Callable[[Tree], None]:
    """Return an edit that gives a leaf of a flat schema another annotation."""

    def edit(footer: Tree) -> None:
        element: Tree = footer[2].value[column + 1]
        for place in (6, 10):
            element.pop(place, None)
        element.update({int(name[1:]): value for name, value in fields.items()})
        footer[5].value = [pair for pair in footer[5].value if pair[1].value != b"ARROW:schema"]

    return edit


# What a footer may be


def edit_chunk(edit: Callable[[Tree, Tree], None]) -> Callable[[Tree], None]:
    def apply(footer: Tree) -> None:
        chunk: Tree = footer[4].value[0][1].value[0]
        edit(chunk, chunk[3].value)

    return apply


def _nest(footer: Tree) -> None:
    leaf = footer[2].value[1]
    group = {3: number(1), 4: binary(b"g"), 5: number(1)}
    footer[2].value[1:1] = [group] * 20_000
    footer[2].value[0][5] = number(1)
    del footer[2].value[len(footer[2].value) - 1 :]
    footer[2].value.append(leaf)


HOSTILE: dict[str, tuple[Callable[[Tree], None], str]] = {
    "encrypted column": (
        edit_chunk(lambda chunk, _: (chunk.pop(3), chunk.update({8: tree(f1=tree()), 9: binary(b"secret")}))),  # type: ignore[arg-type]
        "column 0 of row group 0 is encrypted",
    ),
    "encrypted with the footer's key": (
        edit_chunk(lambda chunk, _: chunk.update({8: tree(f1=tree())})),
        "column 0 of row group 0 is encrypted",
    ),
    "no metadata": (edit_chunk(lambda chunk, _: chunk.pop(3)), "is not described"),  # type: ignore[arg-type]
    "in another file": (edit_chunk(lambda chunk, _: chunk.update({1: binary(b"other.parquet")})), "in another file"),
    "another type": (edit_chunk(lambda _, column: column.update({1: number(6)})), "is not described"),
    "beyond the end": (edit_chunk(lambda _, column: column.update({7: number(1 << 40)})), "outside of the file"),
    "before the start": (edit_chunk(lambda _, column: column.update({9: number(-5)})), "is not described"),
    "negative values": (edit_chunk(lambda _, column: column.update({5: number(-1)})), "is not described"),
    "fewer columns": (lambda footer: footer[4].value[0][1].value.pop(), "contradicts itself"),
    "fewer rows": (lambda footer: footer.update({3: number(1)}), "contradicts itself"),
    "negative rows": (lambda footer: footer[4].value[0].update({3: number(-3)}), "contradicts itself"),
    "children that are not there": (lambda footer: footer[2].value[0].update({5: number(99)}), "not a tree"),
    "negative children": (lambda footer: footer[2].value[0].update({5: number(-1)}), "not a tree"),
    "too few children": (lambda footer: footer[2].value[0].update({5: number(1)}), "not a tree"),
    "nested deep": (_nest, "nested too deep"),
    "unknown type": (lambda footer: footer[2].value[1].update({1: number(77)}), "not a tree"),
}
SMALL = pa.table({"a": pa.array([1, 2, 3], pa.int64()), "b": ["x", "y", None]})


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_footer_that_arrow_would_stumble_over_is_refused(kind: str) -> None:
    edit, reason = HOSTILE[kind]
    with pytest.raises(CorruptDatasetError, match=rf"data\.parquet .*{reason}"):
        keep(change(encode(SMALL), edit)).open()


@pytest.mark.parametrize("bound", [b"", b"\1", b"\1" * 7, b"\1" * 100])
def test_a_bound_of_the_wrong_length_is_no_bound(bound: bytes) -> None:
    table = pa.table({"n": pa.array([1, 2], pa.int64()), "d": pa.array([Decimal(1), Decimal(2)], pa.decimal128(20, 0))})

    def edit(footer: Tree) -> None:
        for column in range(2):
            get_column(footer, column)[12].value.update({5: binary(bound), 6: binary(bound)})

    store = keep(change(encode(table), edit))
    assert len(describe_columns(store.open())) == 2
    assert store.plan([("n", "2")]).row_count is None
    try:
        assert json.loads(store.download("json", [("n", "2")])) == [{"n": 2, "d": 2}]
    except CorruptDatasetError:
        # Arrow's decoder looks at bounds, too.
        assert len(bound) < 8


def run_fuzz(folder: Path, seed: int, rounds: int) -> dict[str, int]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "lambdas", ROOT / "layers")))}
    command = [sys.executable, footer_fuzz.__file__, str(seed), str(rounds)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, (
        signal.strsignal(-done.returncode) if done.returncode < 0 else "",
        done.stderr[-2000:],
    )
    outcomes: dict[str, int] = json.loads(done.stdout)
    return outcomes


def check_fuzz(outcomes: dict[str, int]) -> None:
    assert "failed" not in outcomes
    assert min(outcomes["read"], outcomes["refused"]) > 0


def test_changed_footers_are_read_or_refused(tmp_path: Path) -> None:
    check_fuzz(run_fuzz(tmp_path, seed=1, rounds=60))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_many_changed_footers_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    check_fuzz(run_fuzz(tmp_path, seed, rounds=4000))


# What values may be


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "1970-01-01"),
        (-719_528, "0000-01-01"),
        (-719_529, "-0001-12-31"),
        (2_932_896, "9999-12-31"),
        (2_932_897, "10000-01-01"),
        (2**31 - 1, "5881580-07-11"),
        (-(2**31), "-5877641-06-23"),
    ],
)
def test_days_of_any_year_are_written_and_read(days: int, text: str) -> None:
    assert write_day(days) == text
    assert read_day(text) == days
    store = put(pa.table({"d": pa.array([days, 1], pa.int32()).cast(pa.date32())}))
    assert store.download("csv").decode().splitlines() == ["d", text, "1970-01-02"]
    assert json.loads(store.download("json", [("d", text)])) == [{"d": text}]
    assert {describe_columns(store.open())[0].minimum, describe_columns(store.open())[0].maximum} == {
        text if days < 1 else "1970-01-02",
        text if days > 1 else "1970-01-02",
    }


@pytest.mark.parametrize(
    "text", ["2023-02-29", "2024-00-01", "2024-13-01", "2024-01-32", "-0000-01-01", "24-01-01", ""]
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert read_day(text) is None


def test_all_days_agree_with_python_s() -> None:
    from datetime import date, timedelta  # noqa: PLC0415 - here only

    for days in range(-719_162, 2_932_897, 97):
        text = (date(1970, 1, 1) + timedelta(days)).isoformat()
        assert write_day(days) == text
        assert read_day(text) == days


FAR = {
    (pa.timestamp("us"), 2**63 - 1): "294247-01-10T04:00:54.775807",
    (pa.timestamp("us"), -(2**63)): "-290308-12-21T19:59:05.224192",
    (pa.timestamp("ms"), 2**63 - 1): "292278994-08-17T07:12:55.807",
    (pa.timestamp("us", "UTC"), 2**63 - 1): "294247-01-10T04:00:54.775807+00:00",
    (pa.timestamp("us", "+01:00"), 2**63 - 1): "294247-01-10T05:00:54.775807+01:00",
    (pa.timestamp("us", "Europe/Berlin"), 253_402_300_799_999_999): "10000-01-01T00:59:59.999999+01:00",
    (pa.time64("us"), 86_400_000_000): "24:00:00.000000",
    (pa.time64("ns"), -1): "-00:00:00.000000001",
    (pa.time32("ms"), 86_400_000): "24:00:00.000",
    (pa.time64("us"), 90_061_000_001): "25:01:01.000001",
}


@pytest.mark.parametrize(("type_", "count"), FAR, ids=str)
def test_times_that_arrow_has_no_text_for_are_exact(type_: pa.DataType, count: int) -> None:
    text = FAR[type_, count]
    bits = pa.int32() if type_.bit_width == 32 else pa.int64()
    values = pa.array([count, None, 1], bits).cast(type_) if "time" in str(type_) else None
    store = put(pa.table({"t": values, "nested": pa.array([[count], [], None], pa.list_(bits)).cast(pa.list_(type_))}))
    rows = json.loads(store.download("json"))
    assert (rows[0]["t"], rows[0]["nested"], rows[1]["t"]) == (text, [text], None)
    lines = list(csv.reader(io.StringIO(store.download("csv").decode())))
    assert lines[1] == [text, f'["{text}"]']
    for format_ in ("csv", "jsonl"):
        assert b"out of" not in store.download(format_).replace(b"T", b" ")


def test_the_end_of_a_day_is_found_by_its_text() -> None:
    store = put(pa.table({"t": pa.array([86_400_000_000, 1], pa.time64("us"))}))
    assert json.loads(store.download("json", [("t", "24:00")])) == [{"t": "24:00:00.000000"}]
    assert describe_columns(store.open())[0].maximum == "24:00:00.000000"


@pytest.mark.parametrize("type_", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_a_negative_zero_keeps_its_sign(type_: pa.DataType) -> None:
    store = put(pa.table({"f": pa.array([-0.0, 0.0, None, -1.0], type_)}))
    assert store.download("csv") == b'f\n-0.0\n0\n""\n-1\n'
    found = [row["f"] for row in json.loads(store.download("json"))]
    assert str(found[0]) == "-0.0"
    assert found[1:] == [0, None, -1]


# What statistics may say


def use_old_statistics(column: int, low: bytes, high: bytes, *, writer: bytes, keep_order: bool = False) -> Any:
    def edit(footer: Tree) -> None:
        statistics = get_column(footer, column)[12].value
        for place in (5, 6, 7, 8):
            statistics.pop(place, None)
        statistics.update({1: binary(high), 2: binary(low)})
        footer[6] = binary(writer)
        if not keep_order:
            footer.pop(7, None)

    return edit


def use_statistics(column: int, low: bytes, high: bytes, *, writer: bytes) -> Callable[[Tree], None]:
    def edit(footer: Tree) -> None:
        get_column(footer, column)[12].value.update({5: binary(high), 6: binary(low)})
        footer[6] = binary(writer)

    return edit


DECIMALS = pa.array([Decimal("1.00"), Decimal("-2.00"), Decimal("24.00")], pa.decimal128(20, 2))
TEXTS = pa.array(["a", "é", "b"])
MR, CPP = b"parquet-mr version 1.8.2 (build x)", b"parquet-cpp version 1.5.1-SNAPSHOT"
WRONG: dict[str, tuple[pa.Array, Callable[[Tree], None], str]] = {
    "old decimals": (DECIMALS, use_old_statistics(0, b"\0" * 8 + b"\xc8", b"\0" * 7 + b"\x09\x60", writer=MR), "1.00"),
    "old decimals of nobody": (DECIMALS, use_old_statistics(0, b"\0\xc8", b"\x09\x60", writer=b""), "1.00"),
    **{
        f"decimals of {writer.decode()}": (
            DECIMALS,
            use_statistics(0, b"\0" * 8 + b"\xc8", b"\0" * 7 + b"\x09\x60", writer=writer),
            "1.00",
        )
        for writer in (
            CPP,
            b"parquet-cpp-arrow version 3.0.0",
            b"Polars",
            b"parquet-rs version 55.0.0",
            b"",
            b"parquet-go",
        )
    },
    "old texts": (TEXTS, use_old_statistics(0, b"b", b"b", writer=MR), "é"),
    "old texts in an order": (TEXTS, use_old_statistics(0, b"b", b"b", writer=MR, keep_order=True), "é"),
    "old unsigned": (
        pa.array([1, 2**31, 3], pa.uint32()),
        use_old_statistics(0, b"\1\0\0\0", b"\3\0\0\0", writer=MR),
        str(2**31),
    ),
    "NaN": (
        pa.array([1.0, 2.0]),
        use_statistics(0, b"\0" * 6 + b"\xf8\x7f", b"\0" * 6 + b"\xf8\x7f", writer=b"x"),
        "1",
    ),
    "reversed": (
        pa.array([1, 5], pa.int64()),
        use_statistics(0, b"\5" + b"\0" * 7, b"\1" + b"\0" * 7, writer=b"x"),
        "5",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_statistics_of_writers_that_are_wrong_decide_nothing(kind: str) -> None:
    column, edit, wanted = WRONG[kind]
    store = keep(change(encode(pa.table({"x": column})), edit))
    plan = store.plan([("x", wanted)])
    assert plan.row_count is None
    assert len(json.loads(store.download("json", [("x", wanted)]))) == 1
    assert len(json.loads(store.download("json", [("x__ne", wanted)]))) == len(column) - 1
    shown = describe_columns(store.open())[0]
    assert (shown.minimum, shown.maximum) == (None, None)


def test_an_order_that_is_not_the_type_s_is_not_believed() -> None:
    def edit(footer: Tree) -> None:
        footer[7].value = [{2: tree()} for _ in footer[7].value]

    store = keep(change(encode(pa.table({"x": TEXTS, "n": [1, 2, 3]})), edit))
    shown = {each.name: each for each in describe_columns(store.open())}
    assert shown["x"].minimum is None
    assert shown["n"].minimum == "1"


def count_no_nulls(footer: Tree, *, nulls: int, writer: bytes, keep_schema: bool = False) -> None:
    get_column(footer, 0)[12].value[3] = number(nulls)
    footer[6] = binary(writer)
    if not keep_schema:
        footer[5].value = [pair for pair in footer[5].value if pair[1].value != b"ARROW:schema"]


@pytest.mark.parametrize(
    ("writer", "nulls"),
    [
        (b"parquet-cpp-arrow version 4.0.1", 0),
        (b"parquet-cpp-arrow version 11.0.0", 0),
        (b"parquet-mr version 1.8.1", 0),
        (b"parquet-mr", 0),
        (b"Polars", 3),
        (b"Arrow2 - Native Rust implementation of Arrow", 0),
        (b"", 0),
    ],
)
def test_counts_of_nulls_of_writers_that_are_wrong_decide_nothing(writer: bytes, nulls: int) -> None:
    file = encode(pa.table({"x": ["a", None, "a"], "t": ["k"] * 3}).replace_schema_metadata({"a": "b"}))
    store = keep(change(file, lambda footer: count_no_nulls(footer, nulls=nulls, writer=writer)))
    assert store.plan([("x__isnull", "true")]).row_count is None
    assert len(json.loads(store.download("json", [("x__isnull", "true")]))) == 1
    assert len(json.loads(store.download("json", [("x__isnull", "false")]))) == 2
    assert len(json.loads(store.download("json", [("x", "a")]))) == 2
    assert describe_columns(store.open())[0].nulls is None


@pytest.mark.parametrize("version", [b"5.0.0", b"11.0.0"])
@pytest.mark.parametrize("is_dictionary", [True, False])
def test_bounds_of_arrow_s_old_dictionaries_decide_nothing(version: bytes, is_dictionary: bool) -> None:
    texts = pa.array(["a", "b", "z"])
    column = texts.dictionary_encode() if is_dictionary else texts

    def edit(footer: Tree) -> None:
        get_column(footer, 0)[12].value.update({5: binary(b"b"), 6: binary(b"a")})
        footer[6] = binary(b"parquet-cpp-arrow version " + version)

    # Arrow's schema tells which columns were dictionaries.
    store = keep(change(encode(pa.table({"x": column})), edit))
    assert len(json.loads(store.download("json", [("x", "z")]))) == (1 if is_dictionary else 0)


def test_a_required_column_has_no_nulls_whoever_wrote_it() -> None:
    schema = pa.schema([pa.field("x", pa.string(), nullable=False)])
    store = keep(change(encode(pa.table({"x": ["a"]}, schema)), lambda footer: footer.update({6: binary(b"x")})))
    assert store.plan([("x__isnull", "false")]).row_count == 1


def test_right_statistics_still_leave_row_groups_out() -> None:
    for column, wanted in ((DECIMALS, "99.00"), (TEXTS, "A"), (pa.array([1, 2, 3], pa.uint64()), "9")):
        store = put(pa.table({"x": column}))
        assert store.plan([("x", wanted)]).row_count == 0
        assert describe_columns(store.open())[0].minimum is not None


def test_bounds_that_were_cut_off_are_neither_values_nor_shown() -> None:
    table = pa.table({"x": ["abcdef", "abcxyz"]})

    def edit(footer: Tree) -> None:
        get_column(footer, 0)[12].value.update({5: binary(b"abc"), 6: binary(b"abc"), 7: flag(False), 8: flag(False)})

    store = keep(change(encode(table), edit))
    assert json.loads(store.download("json", [("x", "abc")])) == []
    assert len(json.loads(store.download("json", [("x__ne", "abc")]))) == 2
    assert describe_columns(store.open())[0].minimum is None


def test_more_nulls_than_rows_are_not_believed() -> None:
    def edit(footer: Tree) -> None:
        get_column(footer, 0)[12].value[3] = number(77)

    store = keep(change(encode(SMALL), edit))
    assert len(json.loads(store.download("json", [("a__isnull", "false")]))) == 3


# What types may be

IDS = pa.array([uuid.UUID(UUID).bytes, None, bytes(16)], pa.binary(16))


@pytest.mark.parametrize("annotation", [{"f10": tree(f14=tree())}])
def test_uuids_without_arrow_s_schema_are_uuids(annotation: dict[str, Any]) -> None:
    store = keep(change(encode(pa.table({"u": IDS, "n": [1, 2, 3]})), annotate(0, **annotation)))
    assert store.download("csv").decode().splitlines()[1:] == [f"{UUID},1", ",2", f"{uuid.UUID(int=0)},3"]
    assert [row["n"] for row in json.loads(store.download("json", [("u", UUID)]))] == [1]
    assert [row["n"] for row in json.loads(store.download("json", [("u__ne", UUID)]))] == [3]
    read = pq.ParquetFile(pa.BufferReader(store.download("parquet", [("n__lt", "3")])))
    assert str(read.schema.column(0).logical_type) == "UUID"
    assert describe_columns(store.open())[0].type == "UUID"


def test_nested_uuids_are_text() -> None:
    plain = pa.array([uuid.UUID(UUID).bytes, None], pa.uuid())
    ids = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), plain)
    structs = pa.StructArray.from_arrays([plain], ["u"])
    store = put(pa.table({"l": ids, "s": structs}))
    assert json.loads(store.download("json"))[0] == {"l": [UUID], "s": {"u": UUID}}
    read = pq.ParquetFile(pa.BufferReader(store.download("parquet", [("limit", "1")])))
    assert [str(read.schema.column(leaf).logical_type) for leaf in range(2)] == ["UUID", "UUID"]


BYTES, WORDS = pa.array([b"x", None, b"y"]), pa.array(["x", None, "y"])
ANNOTATED: dict[str, tuple[pa.Array, dict[str, Any]]] = {
    "ENUM": (WORDS, {"f6": number(4), "f10": tree(f4=tree())}),
    "ENUM, converted": (WORDS, {"f6": number(4)}),
    "JSON": (WORDS, {"f6": number(19), "f10": tree(f12=tree())}),
    "BSON": (BYTES, {"f6": number(20), "f10": tree(f13=tree())}),
    "GEOMETRY": (BYTES, {"f10": tree(f17=tree(f1=binary(b"EPSG:5070")))}),
    "GEOGRAPHY": (BYTES, {"f10": tree(f18=tree(f1=binary(b"OGC:CRS84"), f2=number(2)))}),
    "INTERVAL": (pa.array([b"0" * 12, None, b"1" * 12], pa.binary(12)), {"f6": number(21)}),
    "TIME, local": (
        pa.array([1, None, 2], pa.time64("us")),
        {"f10": tree(f7=tree(f1=flag(False), f2=tree(f2=tree())))},
    ),
    "TIMESTAMP, local": (
        pa.array([1, None, 2], pa.timestamp("ms")),
        {"f10": tree(f8=tree(f1=flag(False), f2=tree(f1=tree())))},
    ),
}


def describe_leaf(file: bytes, leaf: int) -> tuple[str, str]:
    column = pq.ParquetFile(pa.BufferReader(file)).schema.column(leaf)
    return str(column.logical_type), column.converted_type


@pytest.mark.parametrize("kind", ANNOTATED)
def test_logical_types_are_kept_where_rows_are_selected(kind: str) -> None:
    column, annotation = ANNOTATED[kind]
    file = change(encode(pa.table({"n": [1, 2, 3], "x": column})), annotate(1, **annotation))
    store = keep(file)
    answer = store.download("parquet", [("n__gte", "2"), ("select", "x,n")])
    assert describe_leaf(answer, 0) == describe_leaf(file, 1)
    assert pq.read_table(pa.BufferReader(answer)).column("n").to_pylist() == [2, 3]
    original = pq.read_table(pa.BufferReader(file)).column("x").to_pylist()
    assert pq.read_table(pa.BufferReader(answer)).column("x").to_pylist() == original[1:]
    bounds = pq.ParquetFile(pa.BufferReader(answer)).metadata.row_group(0).column(0).statistics
    if kind in {"GEOMETRY", "GEOGRAPHY", "INTERVAL"}:
        assert bounds is None or not bounds.has_min_max
    assert store.download("parquet", [("limit", "0")])[:4] == b"PAR1"


def test_another_reader_finds_the_types_that_it_wrote(tmp_path: Path) -> None:
    types = {
        "e": "'b'::enum('a', 'b')",
        "u": f"'{UUID}'::uuid",
        "i": "interval 1 month",
        "t": "time '10:00:00'",
        "tz": "timetz '10:00:00+00'",
        "ts": "timestamp '2024-01-01'",
        "tsz": "timestamptz '2024-01-01 00:00:00+00'",
        "j": "'{}'::json",
        "b": "'x'::blob",
        "l": f"['{UUID}'::uuid]",
        "s": f"{{'u': '{UUID}'::uuid, 't': time '10:00:00'}}",
    }
    select = ", ".join(f'{value} as "{name}"' for name, value in types.items())
    file = write_duckdb(tmp_path, f"select {select} from range(3)")
    path = tmp_path / "answer.parquet"
    path.write_bytes(keep(file).download("parquet", [("limit", "2")]))
    files = (tmp_path / "duckdb.parquet", path)
    leaves = "select name, converted_type from parquet_schema('{}') where type is not null and name != 'ts'"
    for query in (leaves, "describe select * from '{}'", "select * exclude (tsz) from '{}' limit 2"):
        written, answered = (query_duckdb(query.format(file)) for file in files)
        assert [row[-1] for row in written] == [row[-1] for row in answered]
        if query is not leaves:
            assert written == answered


GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": ["Point"],
            "covering": {"bbox": {"xmin": ["bbox", "xmin"], "ymin": ["bbox", "ymin"]}},
        },
        "centre": {"encoding": "WKB", "geometry_types": []},
    },
}


def test_geoparquet_s_metadata_is_kept_for_the_columns_that_are_left() -> None:
    table = pa.table({"id": [1, 2], "geometry": [b"a", b"b"], "centre": [b"c", b"d"], "bbox": [{"xmin": 1.0}] * 2})
    store = put(table.replace_schema_metadata({"geo": json.dumps(GEO), "pandas": "{}"}))

    def read(*pairs: tuple[str, str]) -> Any:
        found = pq.read_metadata(pa.BufferReader(store.download("parquet", list(pairs)))).metadata
        return json.loads(found[b"geo"]) if b"geo" in found else None

    assert read(("id", "1")) == GEO
    left = read(("select", "geometry,id"))
    assert left["primary_column"] == "geometry"
    assert left["columns"] == {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}}
    assert read(("select", "centre"))["primary_column"] == "centre"
    assert read(("select", "geometry,bbox"))["columns"]["geometry"] == GEO["columns"]["geometry"]  # type: ignore[index]
    assert read(("select", "id")) is None


def test_what_a_file_says_of_itself_beside_arrow_s_schema_is_kept() -> None:
    def edit(footer: Tree) -> None:
        footer[5].value.append({1: binary(b"crs"), 2: binary(b"EPSG:4326")})

    store = keep(change(encode(SMALL.replace_schema_metadata({"title": "x"})), edit))
    found = pq.read_metadata(pa.BufferReader(store.download("parquet", [("limit", "1")]))).metadata
    assert (found[b"crs"], found[b"title"]) == (b"EPSG:4326", b"x")


# What else


@pytest.mark.parametrize("codec", [5, 3, 99])
def test_a_codec_that_is_not_known_by_name_does_not_end_a_download(codec: int) -> None:
    store = keep(
        change(encode(SMALL, compression="none"), lambda footer: get_column(footer, 0).update({4: number(codec)}))
    )
    for format_ in ("csv", "parquet"):
        try:
            store.download(format_, [("limit", "9"), ("select", "b")])
        except CorruptDatasetError:
            continue


@pytest.mark.parametrize(
    ("source", "written"), [("zstd", "ZSTD"), ("lz4", "LZ4"), ("gzip", "GZIP"), ("none", "UNCOMPRESSED")]
)
def test_the_codec_is_the_source_s(source: str, written: str) -> None:
    answer = put(SMALL, compression=source).download("parquet", [("limit", "1")])
    assert pq.read_metadata(pa.BufferReader(answer)).row_group(0).column(0).compression == written


@pytest.mark.parametrize("repetition", [0, 1])
def test_structures_without_fields_are_read(repetition: int) -> None:
    """Such a group has no column in the file, so Arrow cannot write it; it is added to a schema."""

    def edit(footer: Tree) -> None:
        footer[2].value.append({3: number(repetition), 4: binary(b"empty")})
        footer[2].value[0][5] = number(footer[2].value[0][5].value + 1)
        footer[5].value = [pair for pair in footer[5].value if pair[1].value != b"ARROW:schema"]

    store = keep(change(encode(SMALL.replace_schema_metadata({"a": "b"})), edit))
    rows = json.loads(store.download("json"))
    assert rows[0] == {"a": 1, "b": "x", "empty": None if repetition else {}}
    assert store.download("csv", [("limit", "1")]) == (b"a,b,empty\n1,x,\n" if repetition else b"a,b,empty\n1,x,{}\n")
    assert len(json.loads(store.download("json", [("empty__isnull", "true")]))) == (3 if repetition else 0)
    with pytest.raises(CorruptDatasetError, match="empty has a structure without fields"):
        store.download("parquet", [("limit", "1")])
    assert pq.read_table(pa.BufferReader(store.download("parquet", [("select", "a")]))).num_rows == 3
    assert len(describe_columns(store.open())) == 3
