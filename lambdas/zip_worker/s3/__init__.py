"""Everything that the worker reads from S3 and writes there, apart from checkpoints and key reports.

`survey` finds the objects to archive and `source_reader` reads them; `key_lists` parses lists of keys, and `key_faults`
explains why an object cannot be read. `archive_upload` writes the archive, `part_transfers` sends its parts, and
`multipart` describes its multipart upload.
"""

__all__ = ["archive_upload", "key_faults", "key_lists", "multipart", "source_reader", "survey"]
