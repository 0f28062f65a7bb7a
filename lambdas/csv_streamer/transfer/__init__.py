"""The transfer of one file from its server to its key in S3: download, checks, parts and upload.

`file_streamer` carries a file from its entry to its result: `first_request` opens it, `delivery` stores one version of
it, `time_budget` decides on deferral, and `file_report` logs and returns what happened. `context` is what the files of
an invocation share.
"""

__all__ = ["context", "file_streamer"]
