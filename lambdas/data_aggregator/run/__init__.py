"""One invocation: a batch of messages becomes bundles, and each message gets its result.

`batch` maps messages to sources and outcomes to messages. `metrics` publishes the counts.
"""

__all__ = ["batch", "metrics"]
