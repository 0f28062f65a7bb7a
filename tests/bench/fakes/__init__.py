"""Servers that stand in for AWS and for the network: fake S3 and DynamoDB, files over HTTP, and a slow proxy.

`fake_s3`, `file_server` and `proxy` run as processes; `fake_s3_client` reads the counts of a running fake.
"""

__all__ = ["dynamodb_table", "fake_s3", "fake_s3_client", "file_server", "proxy"]
