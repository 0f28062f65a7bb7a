"""Many small S3 objects become one gzip bundle, each object in exactly one."""
