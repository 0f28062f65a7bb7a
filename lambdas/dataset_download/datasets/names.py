"""What names look like."""

NAME_PATTERN = r"^[A-Za-z0-9_-]{1,100}$"
"""Of a dataset."""
ID_PATTERN = r"^[0-9a-f]{32}$"
"""Of an export."""
