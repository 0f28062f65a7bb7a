"""ZIP jobs, first of three Lambdas: ``POST /zip-jobs`` records a job and queues it."""
