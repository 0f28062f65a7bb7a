"""Modules that the scripts of all services share: settings, AWS clients, request signing, units, demo notes.

Other folders import the modules below. The shell scripts also run `settings`, `curl_auth`, `demo_notes` and
`demo_summary`.
"""

__all__ = ["clients", "demo_notes", "settings", "units"]
