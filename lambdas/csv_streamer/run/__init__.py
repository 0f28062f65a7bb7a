"""One run over all of its invocations: the lease that keeps a second run out, the files, and the continuation.

`invocation` does the work of one invocation. `plan` makes tasks of the entries, `handover` takes a run over and hands
it to the next invocation by the state that `continuation` stores, and `report` builds the response and the metrics.
"""

__all__ = ["continuation", "invocation", "report"]
