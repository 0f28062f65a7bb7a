"""ZIP jobs, the first of three packages: records and queues the jobs of ``POST /zip-jobs``."""
