"""The offline stack's file server: sample CSVs of any size, and a hostile mode for tests.

Every body is a function of its address alone, so that a test computes what it has to find.
"""

from sample_files.catalogue import expected_body, expected_sha256, expected_size

__all__ = ["expected_body", "expected_sha256", "expected_size"]
