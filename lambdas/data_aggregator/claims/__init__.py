"""Claims on sources in the idempotency table, which put each source into exactly one bundle.

`table` reads and writes the records. `claimer` claims sources, takes over expired claims, and commits.
"""

__all__ = ["claimer", "table"]
