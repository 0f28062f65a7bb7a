"""A job from its SQS message to its end: lease, heartbeat, plan, attempt, checkpoint and the job table.

`runner` works on one message: it takes the lease, runs an attempt, and passes its result to `outcomes`, which records
it. `table` reads and writes the job table, `messages` parses the queue's messages, and `dead_jobs` fails the jobs of
dead-lettered messages. The other modules serve `runner` and `outcomes`.
"""

__all__ = ["dead_jobs", "messages", "runner", "table"]
