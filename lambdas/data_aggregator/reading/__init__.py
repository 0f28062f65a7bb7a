"""Objects of the source buckets, read ahead concurrently, as streams of decompressed bytes.

`source_reader` is the face. `decompression` serves it alone.
"""

__all__ = ["source_reader"]
