"""Queue messages: the objects that they name, and copies of those that fail for the last time.

`batch` is the entry point. It processes the records of one SQS event.
"""

__all__ = ["batch"]
