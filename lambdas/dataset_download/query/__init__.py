"""The query of a request: its parameters, typed literals, columns and filters.

`parameters` parses a query string. `conditions` evaluates its filters on Arrow batches.
"""

__all__ = ["columns", "conditions", "gregorian", "literals", "parameters"]
