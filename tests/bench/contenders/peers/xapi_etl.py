"""The xAPI ETL's conversion by DuckDB and by Polars, as one query of each.

Runs in the bench's own environment, which has both. Both keep the line, as the ETL does. To their advantage both leave
out what stands in lists and where a time comes from; DuckDB leaves the line's number out, which would cost it its
second thread, and Polars the SHA-256, which it does not have.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

VIDEO = "https://w3id.org/xapi/video/extensions/"
CMI5_SESSION = "https://w3id.org/xapi/cmi5/context/extensions/sessionid"
TEXT, NUMBER, FLAG = "VARCHAR", "DOUBLE", "BOOLEAN"
SHAPE: Mapping[str, Any] = {
    "id": TEXT,
    "timestamp": TEXT,
    "stored": TEXT,
    "actor": {"account": {"name": TEXT, "homePage": TEXT}, "mbox": TEXT, "mbox_sha1sum": TEXT, "openid": TEXT},
    "verb": {"id": TEXT},
    "object": {"objectType": TEXT, "id": TEXT, "definition": {"type": TEXT}},
    "result": {
        "score": dict.fromkeys(("raw", "min", "max", "scaled"), NUMBER),
        "success": FLAG,
        "completion": FLAG,
        "response": TEXT,
        "duration": TEXT,
        "extensions": {
            **dict.fromkeys((VIDEO + name for name in ("time", "time-from", "time-to", "length", "progress")), NUMBER),
            VIDEO + "played-segments": TEXT,
        },
    },
    "context": {
        "registration": TEXT,
        "platform": TEXT,
        "language": TEXT,
        "extensions": {VIDEO + "session-id": TEXT, CMI5_SESSION: TEXT, VIDEO + "length": NUMBER},
    },
}
"""The fields that are read of a statement."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "statement_id": ("id",),
    "timestamp": ("timestamp", "stored"),
    "stored": ("stored",),
    "actor_id": ("actor.account.name", "actor.mbox", "actor.mbox_sha1sum", "actor.openid"),
    "actor_home_page": ("actor.account.homePage",),
    "verb_id": ("verb.id",),
    "object_type": ("object.objectType",),
    "object_id": ("object.id",),
    "activity_type": ("object.definition.type",),
    **{f"score_{name}": (f"result.score.{name}",) for name in ("raw", "min", "max", "scaled")},
    **{name: (f"result.{name}",) for name in ("success", "completion", "response")},
    "duration_seconds": ("result.duration",),
    **{name: (f"context.{name}",) for name in ("registration", "platform", "language")},
    "session_id": (f"context.extensions.{VIDEO}session-id", f"context.extensions.{CMI5_SESSION}"),
    **{
        name.replace("-", "_"): (f"result.extensions.{VIDEO}{name}",)
        for name in ("time", "time-from", "time-to", "progress", "played-segments")
    },
    "length": (f"context.extensions.{VIDEO}length", f"result.extensions.{VIDEO}length"),
}
"""The JSON paths of each column's value; dots of an extension's key are part of the key."""
LOWER = {"statement_id", "registration"}
TIMES = {"timestamp", "stored"}
DURATION = "duration_seconds"
_UNITS = {"H": 3600, "M": 60, "S": 1}
_FRACTION = r"(\d+(?:\.\d+)?)"


def convert_by_duckdb(source: Path, target: Path, names: Mapping[str, str], threads: int | None) -> None:
    """Convert with DuckDB 2."""
    import duckdb  # noqa: PLC0415  # the other contender shall not pay for it

    connection = duckdb.connect(config={"threads": threads} if threads else {})
    columns = ", ".join(f'{_write_duckdb(name, paths)} AS "{name}"' for name, paths in COLUMNS.items())
    connection.execute(
        f"""
        COPY (
            SELECT {columns}, line::VARCHAR AS statement, sha256(line::VARCHAR) AS event_hash,
                '{names["source_file"]}' AS source_file, '{names["source_etag"]}' AS source_etag
            FROM (
                SELECT json AS line, from_json(json, '{_write_shape(SHAPE)}') AS s
                FROM read_ndjson_objects('{source}')
            )
        ) TO '{target}' (FORMAT parquet, COMPRESSION snappy)
        """
    )


def _write_shape(shape: Mapping[str, Any]) -> str:
    parts = (f'"{name}":{_write_shape(kind) if isinstance(kind, dict) else f"{chr(34)}{kind}{chr(34)}"}'
             for name, kind in shape.items())  # fmt: skip
    return "{" + ",".join(parts) + "}"


def _split(path: str) -> list[str]:
    head, mark, key = path.partition(".extensions.")
    return [*head.split("."), "extensions", key] if mark else path.split(".")


def _write_duckdb(name: str, paths: tuple[str, ...]) -> str:
    values = [".".join(["s", *(f'"{key}"' for key in _split(path))]) for path in paths]
    value = f"coalesce({', '.join(values)})" if values[1:] else values[0]
    if name in LOWER:
        return f"lower({value})"
    if name in TIMES:
        return f"{value}::TIMESTAMPTZ"
    if name == DURATION:
        parts = (
            f"coalesce(try_cast(regexp_extract({value}, '{_FRACTION}{unit}', 1) AS DOUBLE), 0) * {seconds}"
            for unit, seconds in _UNITS.items()
        )
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE {' + '.join(parts)} END"
    return value


def convert_by_polars(source: Path, target: Path, names: Mapping[str, str], threads: int | None) -> None:
    """Convert with Polars; it takes the number of its threads from POLARS_MAX_THREADS, which has to be set before."""
    import polars as pl  # type: ignore[import-not-found]  # noqa: PLC0415  # not in the development environment

    kinds = {TEXT: pl.String, NUMBER: pl.Float64, FLAG: pl.Boolean}

    def make_type(kind: Any) -> Any:
        if isinstance(kind, dict):
            return pl.Struct({name: make_type(child) for name, child in kind.items()})
        return kinds[kind]

    def find(path: str) -> Any:
        value = pl.col("parsed")
        for key in _split(path):
            value = value.struct.field(key)
        return value

    def make(name: str, paths: tuple[str, ...]) -> Any:
        value = pl.coalesce([find(path) for path in paths])
        if name in LOWER:
            value = value.str.to_lowercase()
        elif name in TIMES:
            value = value.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms", time_zone="UTC")
        elif name == DURATION:
            parts = [
                value.str.extract(_FRACTION + unit).cast(pl.Float64).fill_null(0) * seconds
                for unit, seconds in _UNITS.items()
            ]
            value = pl.when(value.is_not_null()).then(pl.sum_horizontal(parts))
        return value.alias(name)

    lineage = [pl.lit(value).alias(name) for name, value in names.items()]
    (
        pl.scan_lines(source, name="statement", row_index_name="source_line", row_index_offset=1)
        .with_columns(pl.col("statement").str.json_decode(make_type(SHAPE)).alias("parsed"))
        .select("statement", "source_line", *(make(name, paths) for name, paths in COLUMNS.items()), *lineage)
        .sink_parquet(target, compression="snappy")
    )
