"""S3 objects as lines: parallel reads, decompression, unwrapping of record store responses, blocks of whole lines.

Data passes through `sources`, `contents` (`decompress`, then `unwrap`) and `lines` in this order. `native` loads the C
library `scan.c`.
"""

__all__ = ["contents", "decompress", "lines", "native", "sources", "unwrap"]
