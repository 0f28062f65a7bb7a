"""One run over all of its invocations: the lease that keeps a second run out, the files, and the continuation.

`invocation` does the work of one invocation. `continuation` stores what is left for the next one, and `report` builds
the response and the metrics.
"""

__all__ = ["continuation", "invocation", "report"]
