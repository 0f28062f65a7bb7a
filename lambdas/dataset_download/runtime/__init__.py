"""Process-wide resources: memory budget, thread pools, result buffers and cancellation.

Every other folder may import these modules. They do not depend on datasets or HTTP.
"""

__all__ = ["cancellation", "memory_budget", "result_buffer", "single_flight", "thread_pools"]
