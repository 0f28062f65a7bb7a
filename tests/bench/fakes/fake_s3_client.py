"""A client of the fake S3 for the bench, without the proxy."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

_SUCCESS = range(200, 300)


@dataclass(frozen=True)
class FakeS3Client:
    """A client of the fake S3 on a port of loopback."""

    port: int

    def put(self, key: str, content: bytes) -> None:
        """Store an object under `bucket/key`."""
        self._ask("PUT", f"/{key}", content)

    def make(self, key: str, size: int, seed: str) -> None:
        """Put noise of any size under `bucket/key`; it takes no memory."""
        self._ask("POST", f"/_bench/make?{urlencode({'place': key, 'size': size, 'seed': seed})}")

    def count_bytes(self) -> int:
        """Return the bytes of objects that were received or sent since the last reset."""
        stats = json.loads(self._ask("GET", "/_bench/stats"))
        return int(stats["received"]) + int(stats["sent"])

    def reset(self, *, keep: bool = False) -> None:
        """Forget counts and uploads, and objects unless they are to be kept."""
        self._ask("POST", "/_bench/reset" + ("?keep=1" if keep else ""))

    def count_requests(self) -> dict[str, int]:
        """Return the requests by operation since the last reset."""
        counts: dict[str, int] = json.loads(self._ask("GET", "/_bench/stats"))["requests"]
        return counts

    def list_objects(self) -> dict[str, list[tuple[int, int]]]:
        """Return size and CRC-32 of each part of each object, by `bucket/key`."""
        found: dict[str, list[Any]] = json.loads(self._ask("GET", "/_bench/objects"))
        return {key: [(size, crc32) for size, crc32 in parts] for key, parts in found.items()}

    def get(self, key: str) -> bytes:
        """Return a small object's content."""
        return self._ask("GET", f"/{key}")

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status not in _SUCCESS:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
            return content
        finally:
            connection.close()
