"""What the shell scripts leave to Python; each module with a ``main`` is run as ``python -m lib.<name>``."""
