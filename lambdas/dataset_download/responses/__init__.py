"""Responses to download requests: streamed, partial, or redirected to an export.

`respond` chooses among them. `export_status` describes exports that exist.
"""

__all__ = ["export_status", "respond"]
