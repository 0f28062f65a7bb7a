"""Aggregates many small S3 objects into gzip bundles; each object is in exactly one bundle."""
