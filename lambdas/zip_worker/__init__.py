"""ZIP jobs: the worker, which streams the S3 objects of a job into one ZIP in S3."""
