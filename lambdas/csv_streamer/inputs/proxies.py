"""HTTP proxies of the usual environment variables, and the choice of a proxy for a URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from yarl import URL

from csv_streamer.env import Environment
from csv_streamer.exceptions import FileError

from .urls import parse_url, split_credentials

_VARIABLES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "all": "ALL_PROXY"}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's URL and credentials."""

    url: URL
    authorization: str | None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers for the proxy alone."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of a run."""

    by_scheme: Mapping[str, Proxy]
    exceptions: str = ""
    """``NO_PROXY``: hosts and domains that are reached directly, separated by commas; ``*`` for all."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str], env: Environment) -> Self:
        """Read ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``; lower-case names take precedence."""
        found = {}
        for scheme, name in _VARIABLES.items():
            value = (variables.get(name.lower()) or variables.get(name) or "").strip()
            if not value:
                continue
            try:
                found[scheme] = _parse_proxy(value)
            except FileError:  # the value may hold a password
                env.reject(name, "is not the URL of an HTTP proxy, like http://proxy.example:3128")
        return cls(found, (variables.get("no_proxy") or variables.get("NO_PROXY") or "").strip())

    def choose(self, url: URL) -> Proxy | None:
        """Return the proxy for ``url``, None to connect directly."""
        proxy = self.by_scheme.get(url.scheme) or self.by_scheme.get("all")
        host = f"{url.raw_host}:{url.port}"
        return None if proxy is None or proxy_bypass_environment(host, {"no": self.exceptions}) else proxy


def _parse_proxy(text: str) -> Proxy:
    url, authorization = split_credentials(parse_url(text if "://" in text else f"http://{text}"))
    if url.scheme not in {"http", "https"} or not url.host:
        raise FileError("not an HTTP proxy")
    return Proxy(url, authorization)
