"""ZIP jobs, the third of three packages: streams the S3 objects of a job into one ZIP in S3."""
