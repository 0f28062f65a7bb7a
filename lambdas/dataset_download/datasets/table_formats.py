"""Detection of table formats (Delta Lake, Iceberg, Hudi, ...) whose log decides which rows are valid."""

import re
from collections.abc import Mapping

FOLDERS = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi", "_spark_metadata": "Spark Structured Streaming"}
ICEBERG = re.compile(r"(.*\.metadata\.json|version-hint\.text|snap-.*\.avro)")
PAIMON = re.compile(r"snapshot-[0-9]+|LATEST|EARLIEST")
HUDI_PARTITION = ".hoodie_partition_metadata"
HIVE_DELETED = "delete_delta_"
ICEBERG_DELETES = b"delete-type"


def find_table_format(relative: str) -> str | None:
    """Return the table format that an object in a dataset's folder indicates, or None."""
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
    """Return whether a Parquet file lists deleted rows of other files, as Iceberg's delete files do."""
    return ICEBERG_DELETES in (metadata or {})


def explain(folder: str, kind: str) -> str:
    """Return the message about a folder in a table format."""
    return (
        f"{folder} is a table of {kind}: not all rows of its files are valid, and its log, which tells which are, is "
        "not read here. Write its current rows to a folder of plain Parquet files."
    )
