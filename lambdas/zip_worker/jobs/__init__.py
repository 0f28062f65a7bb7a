"""A job from its SQS message to its end: lease, heartbeat, plan, attempt, checkpoint and the job table.

`runner` works on one message: it takes the lease, runs an attempt and records the outcome. `table` reads and writes
the job table, `messages` parses the queue's messages, and the other modules serve `runner`.
"""

__all__ = ["messages", "runner", "table"]
