"""Checks the data aggregator's bundles against their manifests, and cuts sources back out of them.

`scripts/verify_bundles.sh` calls it. `cli` is the command line.
"""

__all__ = ["bucket_checks", "bundle_checks", "cli"]
