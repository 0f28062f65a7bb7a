"""Requests to the files' servers: redirects, credentials, ranges, retries, and the guard against private addresses.

`session` opens the HTTP session and `source` sends the requests for one file. `download` reads the file and resumes it,
`first_response` keeps the first response open in reserve, and `retries` decides whether to try again.
"""

__all__ = ["download", "first_response", "retries", "session", "source"]
