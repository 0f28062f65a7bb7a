"""The bench, which runs each service and other tools on the same work and writes the ratios of their times.

Run it by `make bench` or `python -m tests.bench`.
"""

__all__ = ["cases", "contenders", "fakes", "harness", "report"]
