"""One invocation: a batch of messages becomes bundles, and each message gets its result.

`batch` maps messages to sources and outcomes to messages. `metrics` publishes the counts. Behind `batch`, `aggregator`
publishes and commits the bundles that `draft` fills, within the `limits` of time and disk; `outcomes` has the results.
"""

__all__ = ["batch", "metrics"]
