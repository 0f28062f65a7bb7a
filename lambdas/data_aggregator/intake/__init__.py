"""The queue's messages: the objects that they name, and what happens to messages that are returned.

`messages` parses message bodies. `visibility` sets when a message is received again, and `reasons` records why it was
returned.
"""

__all__ = ["messages", "reasons", "visibility"]
