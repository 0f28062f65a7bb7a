"""Folders whose files are not all of a dataset: tables with a log that says which of their rows are valid."""

import re
from collections.abc import Mapping

FOLDERS = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi", "_spark_metadata": "Spark Structured Streaming"}
ICEBERG = re.compile(r"(.*\.metadata\.json|version-hint\.text|snap-.*\.avro)")
PAIMON = re.compile(r"snapshot-[0-9]+|LATEST|EARLIEST")
HUDI_PARTITION = ".hoodie_partition_metadata"
HIVE_DELETED = "delete_delta_"
ICEBERG_DELETES = b"delete-type"


def find_table_format(relative: str) -> str | None:
    """Return the kind of table that an object in a dataset's folder belongs to; None if it tells nothing of one."""
    *folders, name = relative.split("/")
    for folder in folders:
        if folder in FOLDERS:
            return FOLDERS[folder]
        if folder.startswith(HIVE_DELETED):
            return "Hive ACID"
    parent = folders[-1] if folders else ""
    if name == HUDI_PARTITION:
        return FOLDERS[".hoodie"]
    if parent == "metadata" and ICEBERG.fullmatch(name):
        return "Apache Iceberg"
    return "Apache Paimon" if parent == "snapshot" and PAIMON.fullmatch(name) else None


def holds_deletes(metadata: Mapping[bytes, bytes] | None) -> bool:
    """Whether a Parquet file says which rows of others are deleted, as those of Iceberg do."""
    return ICEBERG_DELETES in (metadata or {})


def explain(folder: str, kind: str) -> str:
    """Return why such a folder is not read."""
    return (
        f"{folder} is a table of {kind}: not all rows of its files are valid, and its log, which tells which are, is "
        "not read here. Write its current rows to a folder of plain Parquet files."
    )
