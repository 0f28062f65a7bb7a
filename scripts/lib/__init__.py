"""Python modules behind the shell scripts, one folder a service.

A module with a ``main`` runs as ``python -m lib.<folder>.<module>``; the shell function ``run_python`` does this.
"""
