"""The objects of one invocation: read, converted, gathered into INSERTs and inserted; bad lines go into quarantine.

`wiring` creates the loader and its parts from the settings. Only `intake` and the diagnostics import it.
"""

__all__ = ["wiring"]
