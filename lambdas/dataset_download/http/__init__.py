"""The ASGI application: its routes, and the limit on concurrent requests.

`application` is what the handlers run. `routes` maps each path to the folders that serve it.
"""

__all__ = ["application"]
