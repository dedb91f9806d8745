"""How simulated corners talk to a marketplace: one kept connection each, every request timed and counted by kind.

Answers that mean "later" and lines that break are `Offline`, as for a real kiosk; nothing is retried here but a kept connection
that the server closed meanwhile, which is no failure of anybody.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sync.errors import Offline, Rejected

TIMEOUT_S = 20.0


@dataclass(slots=True)
class Kind:
    """What was measured of one kind of request."""

    times_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    received: int = 0
    broken: int = 0


class Tally:
    """What all corners measured, by kind of request; written from many threads."""

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}
        self.moments: list[float] = []
        self._lock = threading.Lock()

    def answered(self, kind: str, *, status: int, seconds: float, sent: int, received: int) -> None:
        """Count an answer; bytes are those of bodies and headers."""
        with self._lock:
            traffic = self.kinds.setdefault(kind, Kind())
            traffic.times_ms.append(seconds * 1000)
            traffic.statuses[status] += 1
            traffic.sent += sent
            traffic.received += received
            self.moments.append(time.monotonic())

    def broke(self, kind: str) -> None:
        """Count a request without an answer."""
        with self._lock:
            self.kinds.setdefault(kind, Kind()).broken += 1


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """A status below 400, its header fields by lower-case name, and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """One corner's connection. Not for several threads at once."""

    def __init__(self, base_url: str, tally: Tally) -> None:
        parts = urlsplit(base_url)
        self.base_url = base_url.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._tally = tally
        made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = made(parts.hostname or "", parts.port, timeout=TIMEOUT_S)

    def get(self, kind: str, path: str, headers: Mapping[str, str] | None = None) -> WireAnswer:
        """Fetch `path`. Raises: Offline, Rejected."""
        return self._ask(kind, "GET", path, None, {"Accept-Encoding": "identity", **(headers or {})})

    def post(self, kind: str, path: str, body: bytes, headers: Mapping[str, str]) -> WireAnswer:
        """Send `body` to `path`. Raises: Offline, Rejected."""
        return self._ask(kind, "POST", path, body, headers)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _ask(self, kind: str, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> WireAnswer:
        start = time.perf_counter()
        try:
            response, content = self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as problem:
            self._connection.close()
            self._tally.broke(kind)
            raise Offline(f"{self.base_url} does not answer: {type(problem).__name__}") from problem
        fields = {name.lower(): value for name, value in response.getheaders()}
        sent = len(method) + len(path) + 12 + _size(headers) + len(body or b"")
        received = 17 + _size(fields) + len(content)
        seconds = time.perf_counter() - start
        self._tally.answered(kind, status=response.status, seconds=seconds, sent=sent, received=received)
        if response.status == 429 or response.status >= 500:
            raise Offline(f"{path}: {response.status}", retry_after_s=_whole(fields.get("retry-after", "")))
        if response.status >= 300 and response.status != 304:
            raise Rejected(f"{path}: {response.status}", status=response.status)
        return WireAnswer(response.status, fields, content)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        is_kept = self._connection.sock is not None
        try:
            self._connection.request(method, self._prefix + path, body, dict(headers))
            response = self._connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):
            if not is_kept:
                raise
            # An idle connection may be closed by the server at any time; asking twice is harmless in this protocol.
            self._connection.close()
            self._connection.request(method, self._prefix + path, body, dict(headers))
            response = self._connection.getresponse()
        return response, response.read()


def _size(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.items())


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
