"""Turns a ZIP job's list of S3 objects into one ZIP in S3, streaming."""
