"""Tools for a running deployment: logs, saved queries, dead letters and single invocations.

`insights.py` and `show_logs.py` import the modules below. The shell scripts run `redrive` and `invoke`.
"""

__all__ = ["insights_client", "log_groups", "log_sql", "result_table", "saved_queries"]
