"""Everything that the streamer stores in S3 and finds there.

`multipart_upload` joins parts, and `published_object` makes the whole visible under its key. `part_sizes` cuts files
into parts and ranges, and `buffers` bounds the memory of parts. `object_metadata` describes the source of an object,
and `history` finds the newest stored object of a name.
"""

__all__ = ["buffers", "history", "multipart_upload", "object_metadata", "part_sizes"]
