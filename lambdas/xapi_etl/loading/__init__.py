"""The objects of one invocation: read, converted, gathered into INSERTs and inserted; bad lines go into quarantine.

`wiring` creates the loader and its parts from the settings. Only `intake` and the diagnostics import it. `loader` takes
each object through `chunk_reader`, `bad_line_policy`, `gathered_rows` and `table_writer` while `reading_time` remains.
"""

__all__ = ["wiring"]
