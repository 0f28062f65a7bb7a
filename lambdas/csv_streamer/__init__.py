"""Streams files from HTTP(S) servers into S3; downloads resume, uploads overlap, and no truncated file is stored."""
