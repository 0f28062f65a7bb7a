"""ZIP jobs, second of three Lambdas: reads, lists and cancels jobs, and signs their downloads."""
