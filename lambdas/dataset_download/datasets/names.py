"""Patterns of dataset names and export ids."""

NAME_PATTERN = r"^[A-Za-z0-9_-]{1,100}$"
"""A dataset's name."""
ID_PATTERN = r"^[0-9a-f]{32}$"
"""An export's id."""
