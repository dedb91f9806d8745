"""The link between a kiosk and HQ: a `requests` adapter that calls HQ's app in process, and does to requests what networks do.

A request may be lost, late, doubled, answered in HQ's place, or done without the kiosk ever hearing of it. While one is under way
other things happen, which is where the parts of the system interleave.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import responses as reasons
from random import Random
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[[requests.PreparedRequest], Answer | None]

PORTAL = b"<!doctype html><title>Bienvenue</title><form action='/login'>Acceptez les conditions</form>"
SLOW = timedelta(seconds=20)

KINDS = (
    "lost",
    "slow",
    "unheard",
    "late",
    "doubled",
    "busy",
    "failing",
    "portal",
    "moved",
    "broken",
    "short",
    "corrupt",
    "garbled",
    "stale",
    "missing",
)
"""What can happen to a request. `unheard`: HQ did it, the answer was lost. `late`: it arrives in a later step, the kiosk gave up.
`broken`: the connection ends inside the answer. `short`: it ends there unnoticed. `corrupt`: a bit of the answer is another,
`garbled`: of the request. `stale`: a cache gives an older answer."""

UNSIGNED = "/sync/v1/enrolments"
"""Nothing is trusted yet where trust begins: this exchange is safe inside TLS alone, in which no bit changes."""


@dataclass(slots=True)
class Weather:
    """How a link is now: the share of requests that something happens to, and what may."""

    share: float = 0.0
    kinds: tuple[str, ...] = KINDS


@dataclass(slots=True)
class Cache:
    """A cache in front of HQ: what it was given for each address, oldest first."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def keep(self, path: str, answer: Answer) -> None:
        """Remember an answer, a few for each address."""
        kept = self.answers.setdefault(path, [])
        kept.append(answer)
        del kept[:-6]


class Link(BaseAdapter):
    """One kiosk's link. `ask` is HQ, `meanwhile` lets others act, `later` takes the requests that are still on their way."""

    def __init__(
        self,
        random: Random,
        ask: Ask,
        *,
        meanwhile: Callable[[], None],
        pass_time: Callable[[timedelta], None],
        later: list[Callable[[], None]],
    ) -> None:
        super().__init__()
        self.weather = Weather()
        self.cache = Cache()
        self.told: list[str] = []
        self._random = random
        self._ask = ask
        self._meanwhile = meanwhile
        self._pass_time = pass_time
        self._later = later

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Carry a request to HQ and an answer back, or not."""
        self._meanwhile()
        kind = self._kind(request)
        if kind:
            self.told.append(kind)
        answer = self._carry(request, kind)
        breaks = kind == "broken"
        if kind in ("broken", "short"):
            answer = (*answer[:2], answer[2][: self._random.randint(0, len(answer[2]))])
        elif kind == "corrupt" and answer[2]:
            answer = (*answer[:2], self._spoilt(answer[2]))
        return _response(request, answer, breaks=breaks)

    def close(self) -> None:
        """Nothing is open."""

    def _kind(self, request: requests.PreparedRequest) -> str:
        if self._random.random() >= self.weather.share:
            return ""
        kind = self._random.choice(self.weather.kinds)
        path = request.path_url
        is_post = request.method == "POST"
        if kind in ("corrupt", "garbled") and path == UNSIGNED:
            return ""
        if kind == "garbled" and not is_post:
            return ""
        if kind in ("stale", "missing") and is_post:
            return ""
        return kind

    def _carry(self, request: requests.PreparedRequest, kind: str) -> Answer:
        if kind in _IN_PLACE:
            return _IN_PLACE[kind]
        if kind == "stale" and self.cache.answers.get(request.path_url):
            return self._random.choice(self.cache.answers[request.path_url])
        if kind in ("lost", "slow", "late"):
            if kind == "late":
                self._later.append(lambda: _forget(self._ask(request)))
            self._pass_time(SLOW)
            raise requests.ConnectionError(kind) if kind == "lost" else requests.ReadTimeout(kind)
        if kind == "garbled":
            request.body = self._spoilt(request.body or b"")  # type: ignore[arg-type]
        answer = self._ask(request)
        if answer is None:
            raise requests.ConnectionError("nobody answers")
        if kind == "unheard":
            self._pass_time(SLOW)
            raise requests.ReadTimeout(kind)
        if kind == "doubled":
            answer = self._random.choice((answer, self._ask(request) or answer))
        if request.method == "GET" and answer[0] == 200:
            self.cache.keep(request.path_url, answer)
        return answer

    def _spoilt(self, body: bytes) -> bytes:
        at = self._random.randrange(len(body))
        return body[:at] + bytes([body[at] ^ 1 << self._random.randrange(8)]) + body[at + 1 :]


class LinkSession(requests.Session):
    """A session whose every request goes over one link, without the look-ups of proxies and cookies that would find nothing."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def request(self, method: str, url: str, *_: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """Prepare a request and send it."""
        carried = {name: options[name] for name in ("headers", "data", "auth") if name in options}
        return self._link.send(requests.Request(method, url, **carried).prepare())


_IN_PLACE: dict[str, Answer] = {
    "busy": (503, {"Retry-After": "30"}, b"later"),
    "failing": (502, {}, b"<h1>Bad Gateway</h1>"),
    "portal": (200, {"Content-Type": "text/html"}, PORTAL),
    "moved": (302, {"Location": "http://portal.example/"}, PORTAL),
    "missing": (404, {"Content-Type": "text/html"}, b"<h1>Not Found</h1>"),
}


def call(app: Callable[..., Any], request: requests.PreparedRequest) -> Answer:
    """Give a prepared request to a WSGI app and return what it answers."""
    return call_app(app, request.method or "GET", request.url or "", dict(request.headers), request.body or b"")


def call_app(app: Callable[..., Any], method: str, url: str, headers: dict[str, str], body: str | bytes) -> Answer:
    """Call a WSGI app as a server would."""
    address = urlsplit(url)
    content = body.encode() if isinstance(body, str) else body
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": address.path,
        "QUERY_STRING": address.query,
        "SERVER_NAME": address.hostname,
        "SERVER_PORT": str(address.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(content)),
        "HTTP_HOST": address.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": address.scheme,
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    started: list[tuple[int, dict[str, str]]] = []

    def start(status: str, fields: list[tuple[str, str]], *_: object) -> Callable[[bytes], object]:
        started.append((int(status.split()[0]), dict(fields)))
        return lambda _: None

    answer = app(environ, start)
    try:
        text = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return (*started[-1], text)


def _forget(_: object) -> None:
    """Nobody waits for the answer any more."""


class _Body:
    """The body as it comes in; when the connection `breaks`, that is noticed after the last byte that came."""

    def __init__(self, content: bytes, *, breaks: bool) -> None:
        self._content = content
        self._breaks = breaks

    def stream(self, amount: int, decode_content: bool = True) -> Iterator[bytes]:  # noqa: ARG002, FBT001 - as urllib3's
        for start in range(0, len(self._content), amount):
            yield self._content[start : start + amount]
        if self._breaks:
            raise requests.exceptions.ChunkedEncodingError("the connection ended inside the answer")

    def close(self) -> None:
        """Nothing is open."""

    release_conn = close


def _response(request: requests.PreparedRequest, answer: Answer, *, breaks: bool) -> requests.Response:
    response = requests.Response()
    response.status_code, fields, body = answer
    response.headers.update(fields)
    response.raw = _Body(body, breaks=breaks)
    response.request = request
    response.url = request.url or ""
    response.reason = reasons.get(response.status_code, "")
    return response
