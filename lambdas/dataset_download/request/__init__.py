"""A request as typed values: caller, headers, byte range, and the resolved dataset and plan.

`resolve` turns a name and a query string into a plan. `problem` turns errors into problem documents (RFC 9457).
"""

__all__ = ["caller", "headers", "problem", "range_header", "resolve"]
