"""Inputs of a run: entries of the event or the parameters object, headers from secrets, and proxies.

`parameters` parses and checks entries. `keys` chooses the objects' keys. `secret_headers` reads headers from Secrets
Manager, `urls` parses URLs, and `proxies` reads the proxy variables.
"""

__all__ = ["keys", "parameters", "proxies", "secret_headers", "urls"]
