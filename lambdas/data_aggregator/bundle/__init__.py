"""Bundles in the distribution bucket, each with its manifest.

`publisher` uploads a bundle and makes it visible. `manifest` names bundles, and writes and reads manifests.
"""

__all__ = ["manifest", "publisher"]
