"""Reads of S3 objects: byte ranges that are pinned to an ETag.

`objects` reads a range. `prefetch` reads ranges ahead of the decoder, within a byte budget.
"""

__all__ = ["objects", "prefetch"]
