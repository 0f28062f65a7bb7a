"""The bench: runs each service and its rivals on the same work and writes the ratios.

Run it by `make bench` or `python -m tests.bench`.
"""

__all__ = ["cases", "contenders", "fakes", "harness", "report"]
