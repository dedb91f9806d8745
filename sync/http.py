"""HTTP to other machines, the only module that imports requests: every failure as one of `sync.errors`, every exchange in bounds.

The time-outs of requests count from one byte to the next: an answer that trickles never meets them, be it in its head, in the
lengths of its chunks or in its body. Invariant: the head of an answer has one deadline for all of it, and so has its body, by
its length; a timer shuts the socket down, and whatever waits for that socket ends.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from sync.documents import read_object
from sync.errors import Offline, Rejected, SyncError, Throttled, TooLarge

CONNECT_S = 5
BYTES_A_S = 2**14
"""A body may take the site's patience, and as long again as its bytes take at this rate."""
MAX_DOCUMENT_BYTES = 2**20
CHUNK_BYTES = 2**16
SOCKET_FIELD = "comptoir_socket"
"""The attribute of an urllib3 response that keeps its socket."""

Session = requests.Session
PreparedRequest = requests.PreparedRequest
Response = requests.Response
Signer = Callable[[PreparedRequest], PreparedRequest]
Judge = Callable[[Response, bytes], None]
"""Raises one of `sync.errors` where an answer and its body are not what they should be, its signature for one."""


class Site:
    """A web server at a base URL. `received` counts the body bytes that came in; not for several threads at once.

    `patience_s` is the deadline for the head of an answer, and for a body of no length.
    """

    def __init__(self, base_url: str, *, patience_s: float, session: Session | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.received = 0
        self.session = session or open_session()
        self._patience_s = patience_s

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        signer: Signer | None = None,
        judge: Judge | None = None,
    ) -> Response:
        """Send a request and return the answer, a status below 300 or 304, with its body still to be read; close it after.

        Redirects are not followed. Raises: Offline, Throttled (429), Rejected with the `code` of the answer's JSON;
        `data["is_signed"]` tells whether `judge` found nothing wrong with it.
        """
        try:
            response = self.session.request(
                method,
                self.base_url + path,
                headers={"Accept-Encoding": "identity", **(headers or {})},
                data=body,
                auth=signer,
                timeout=(CONNECT_S, self._patience_s),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, TimeoutError) as problem:
            raise Offline(f"{self.base_url} does not answer: {type(problem).__name__}") from problem
        if response.status_code in (429, 503) or response.status_code >= 500:
            response.close()
            later = Throttled if response.status_code == 429 else Offline
            raise later(f"{self.base_url} answers {response.status_code}", retry_after_s=_retry_after_s(response))
        if response.status_code >= 300 and response.status_code != 304:
            with response:
                raise self._rejection(path, response, judge)
        return response

    def read(self, response: Response, *, most_bytes: int) -> bytes:
        """Return an answer's body. Raises: TooLarge, Offline."""
        content = bytearray()
        for chunk in self.chunks(response, most_bytes=most_bytes):
            content += chunk
            if len(content) > most_bytes:
                raise TooLarge(f"more than {most_bytes} bytes")
        return bytes(content)

    def chunks(self, response: Response, *, most_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yield an answer's body as it comes, within the deadline of `most_bytes`; the caller stops when there are more.

        Raises: Offline.
        """
        announced = response.headers.get("Content-Length", "")
        is_length = announced.isascii() and announced.isdigit() and len(announced) < 16
        expected = min(int(announced), most_bytes) if is_length else most_bytes
        try:
            with cut_after(_socket_of(response), seconds=self._patience_s + expected / BYTES_A_S):
                for chunk in response.iter_content(chunk_bytes):
                    self.received += len(chunk)
                    yield chunk
        except (requests.RequestException, TimeoutError) as problem:
            raise Offline(f"the answer of {self.base_url} broke off: {type(problem).__name__}") from problem

    def _rejection(self, path: str, response: Response, judge: Judge | None) -> Rejected:
        code, is_signed = "", False
        try:
            content = self.read(response, most_bytes=MAX_DOCUMENT_BYTES)
            code = str(read_object(content).get("code", ""))
            if judge is not None:
                judge(response, content)
                is_signed = True
        except SyncError:
            # A refusal all the same, but nobody vouches for what it says.
            is_signed = False
        return Rejected(
            f"{path}: {response.status_code} {code}".rstrip(), status=response.status_code, code=code, is_signed=is_signed
        )


def open_session() -> Session:
    """Return a session whose connections can be cut."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


@contextmanager
def cut_after(connection: socket.socket | None, *, seconds: float) -> Iterator[None]:
    """Shut the socket down should the block take longer. Raises: TimeoutError in place of whatever the block then met."""
    if connection is None:
        yield
        return
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with suppress(OSError):
            # A TLS socket's own way would wait for the other side.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as problem:
        if is_cut.is_set():
            raise TimeoutError(f"longer than {seconds:.0f} s") from problem
        raise
    finally:
        timer.cancel()
    if is_cut.is_set():
        raise TimeoutError(f"longer than {seconds:.0f} s")


def _socket_of(response: Response) -> socket.socket | None:
    """Return the socket a response comes over, or None where it comes over none of ours."""
    connection: socket.socket | None = getattr(response.raw, SOCKET_FIELD, None)
    return connection


def _retry_after_s(response: Response) -> int | None:
    """Return the seconds of Retry-After (RFC 9110 §10.2.3); a date, or more than a day, is as none."""
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:
        """Wait for the head of an answer as long as one read may take, in all."""
        return _in_time(self, super().getresponse)


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        """Wait for the head of an answer as long as one read may take, in all."""
        return _in_time(self, super().getresponse)


def _in_time(connection: HTTPConnection, read_head: Callable[[], Any]) -> Any:
    wire, response = connection.sock, None
    try:
        with cut_after(wire, seconds=connection.timeout or 0.0):
            response = read_head()
    except TimeoutError:
        # A head that was cut off passes for one that ended there.
        if response is not None:
            response.close()
        raise
    setattr(response, SOCKET_FIELD, wire)
    return response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Makes connections that can be cut, directly and through a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the manager of direct connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the manager of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
