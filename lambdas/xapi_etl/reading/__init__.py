"""S3 objects as lines: parallel reads, decompression, the unwrapping of record store responses, blocks of whole lines.

`sources`, `decompress`, `unwrap` and `lines` follow each other in this order. `native` loads the C library `scan.c`.
"""

__all__ = ["decompress", "lines", "native", "sources", "unwrap"]
