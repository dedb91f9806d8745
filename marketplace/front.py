"""The marketplace's door: a request is taken in whole before a thread is used for it, and files leave without one.

Granian reads heads and hands each request to a worker's event loop (RSGI), where whoever is slow costs a task. Invariant: a body
has a size by its path and one deadline for all of it, all bodies of a worker have a size together, and few threads ask the app.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from granian.rsgi import HTTPProtocol, Scope  # type: ignore[attr-defined]  # re-exported, as its documentation has it

from marketplace.bulkhead import spread_s

THREADS = 8
FLEET = "/sync/v1/"
MOST_FLEET_BYTES = 2 * 2**20
MOST_FORM_BYTES = 2**16
APPLY = "/sell"
MOST_APPLICATION_BYTES = 26 * 10**6
"""A company's application with its five documents of 5 MB (`marketplace.sellers.documents`)."""
MOST_TABLE_BYTES = 8 * 2**20
"""15,000 listings are 3 MB as CSV."""
MOST_FEED_BYTES = 32 * 2**20
"""HQ's feed of 535,000 listings is 7 MB as .zip."""
LARGE = {
    APPLY: MOST_APPLICATION_BYTES,
    "/api/v1/imports": MOST_TABLE_BYTES,
    "/seller/imports": MOST_TABLE_BYTES,
    "/console/feeds": MOST_FEED_BYTES,
}


def largest_body(path: str) -> int:
    """Return how many bytes a request to `path` may bring."""
    return MOST_FLEET_BYTES if path.startswith(FLEET) else LARGE.get(path, MOST_FORM_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a body may take, what all bodies of a worker may hold, and how many requests may be with or before its threads."""

    body_s: float = 10.0
    body_bytes_a_s: int = 2**14
    held_bytes: int = 64 * 2**20
    inside: int = 256


class SentFile:
    """What an app returns to have a file sent from where it stands (PEP 3333, `wsgi.file_wrapper`)."""

    def __init__(self, file: IO[bytes], block_bytes: int = 2**16) -> None:
        self.file = file
        self._block_bytes = block_bytes

    def __iter__(self) -> Iterator[bytes]:
        while block := self.file.read(self._block_bytes):
            yield block

    def close(self) -> None:
        """Close the file."""
        self.file.close()


@dataclass(slots=True)
class Answer:
    """What the app said: as WSGI's `start_response` it takes status and headers, the rest is bytes or a span of a file."""

    status: int = 500
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""
    span: tuple[str, int, int] | None = None

    def __call__(self, status: str, headers: list[tuple[str, str]], _problem: object = None) -> None:
        """Take the head of the answer."""
        self.status, self.headers = int(status[:3]), headers


class Front:
    """An RSGI application in front of a WSGI one."""

    def __init__(self, app: Callable[..., Iterable[bytes]], *, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="app")
        self._inside = 0
        self._coming: dict[asyncio.Task[Any], bytearray] = {}
        """Bodies on their way, by the task that takes them in; the oldest first."""
        self._held_bytes = 0

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        try:
            body = await self._body(scope, protocol)
        except (TimeoutError, asyncio.CancelledError):
            protocol.response_str(408, [("Connection", "close")], "the body came too slowly")
            return
        try:
            await self._answer(scope, protocol, body)
        finally:
            self._held_bytes -= len(body)

    async def _answer(self, scope: Scope, protocol: HTTPProtocol, body: bytes) -> None:
        if self._inside >= self._limits.inside:
            protocol.response_str(503, [("Retry-After", str(spread_s()))], "too many at once")
            return
        self._inside += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, _environ(scope, body))
        finally:
            self._inside -= 1
        if answer.span:
            protocol.response_file_range(answer.status, answer.headers, *answer.span)
        else:
            protocol.response_bytes(answer.status, answer.headers, answer.content)

    async def _body(self, scope: Scope, protocol: HTTPProtocol) -> bytes:
        """Return the body, cut short where it is longer than the app takes: it refuses that by the length alone.

        Its bytes are held until they are given back. Raises: TimeoutError, and CancelledError where newer bodies need the room.
        """
        most, length = largest_body(scope.path), _announced(scope)
        if length == 0 or (length or 0) > most:
            return b""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for mypy: we run in one
        body = self._coming[task] = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s + (length or most) / self._limits.body_bytes_a_s):
                async for chunk in protocol:
                    body += chunk
                    self._held_bytes += len(chunk)
                    if len(body) > most:
                        break
                    self._make_room(but=task)
            if len(body) < (length or 0):
                raise TimeoutError
        except BaseException:
            self._held_bytes -= len(body)
            raise
        finally:
            del self._coming[task]
        return bytes(body)

    def _make_room(self, *, but: asyncio.Task[Any]) -> None:
        """Send the oldest bodies away while all of them hold too much.

        Raises: TimeoutError where what waits for threads leaves none, even so.
        """
        held_bytes = self._held_bytes
        for task, body in self._coming.items():
            if held_bytes <= self._limits.held_bytes:
                return
            if task is not but:
                task.cancel()
                held_bytes -= len(body)
        if held_bytes > self._limits.held_bytes:
            raise TimeoutError

    def _ask(self, environ: dict[str, Any]) -> Answer:
        answer = Answer()
        said = self._app(environ, answer)
        try:
            file = said.file if isinstance(said, SentFile) else None
            path = getattr(file, "name", None)
            if file is None or path is None:
                answer.content = b"".join(said)
            else:
                first = file.tell()
                length = int(next(value for name, value in answer.headers if name.lower() == "content-length"))
                answer.span = (path, first, first + length)
        finally:
            if close := getattr(said, "close", None):
                close()
        return answer


def _announced(scope: Scope) -> int | None:
    """Return the length of the body, or None where only its end will tell."""
    if "transfer-encoding" in scope.headers:
        return None
    return int(scope.headers.get("content-length", "0"))


def _environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return a request as PEP 3333 has it."""
    server, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # Bytes as text of their own numbers, whatever alphabet a browser did not percent-encode.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": SentFile,
    }
    for name, value in scope.headers.items():
        # A name with an underscore could pass for another: a proxy's own headers are spelt with dashes.
        if "_" not in name:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            environ[key] = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}" if key in environ else value
    if "transfer-encoding" in scope.headers:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ
