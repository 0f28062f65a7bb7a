"""ZIP jobs, the second of three packages: reads, lists and cancels jobs, and signs their downloads."""
