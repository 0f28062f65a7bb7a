"""The execution of a plan: row groups are prefetched, decoded, filtered, sorted and encoded.

`result_stream` is the face: it yields the bytes of a result. `rows` yields its batches, in order.
"""

__all__ = ["result_stream"]
