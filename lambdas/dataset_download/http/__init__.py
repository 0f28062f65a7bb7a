"""The ASGI application: its routes, and the limit on concurrent requests.

The handlers run `application`. `routes` maps each path to the folders that serve it.
"""

__all__ = ["application"]
