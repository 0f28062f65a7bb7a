"""Steps of the data aggregator's scripts: sample objects, batches of the queue, bundles and their manifests.

The shell scripts run these modules with `run_python`. Other folders import `manifests`.
"""

__all__ = ["manifests"]
