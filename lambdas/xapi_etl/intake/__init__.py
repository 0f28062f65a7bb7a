"""Queue messages: the objects that they name, and the messages that fail for the last time.

`batch` is the way in. It processes the records of one SQS event.
"""

__all__ = ["batch"]
