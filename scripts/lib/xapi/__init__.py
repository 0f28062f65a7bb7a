"""Steps of the xAPI ETL's scripts: sample statements, the wait for their rows, and a client for ClickHouse.

The shell scripts run these modules with `run_python`. Other folders import `clickhouse_client`.
"""

__all__ = ["clickhouse_client"]
