"""Streams files from HTTP(S) servers into S3: resumed, overlapped, never truncated."""
