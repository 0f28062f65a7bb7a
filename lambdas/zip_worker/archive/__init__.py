"""The archive as bytes: the members' names, the layout, the ZIP records, and the parts of the stream.

`names` chooses the members' names and `layout` the steps in which the archive is written. `writer` performs these
steps with the records of `zip_format`, and `part_buffer` cuts the stream into parts. `crc` combines CRC-32 values.
"""

__all__ = ["crc", "layout", "names", "part_buffer", "writer"]
