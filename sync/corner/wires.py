"""Connections that can be cut from outside, so that an exchange has one deadline however its bytes are spread over time.

The time-outs of requests count from one byte to the next: an answer that trickles never meets them, be it in its head, in the
lengths of its chunks or in its body. What waits for a socket that was shut down meets its end, wherever it waits.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

WIRE = "comptoir_wire"


@contextmanager
def cut_after(wire: socket.socket | None, *, seconds: float) -> Iterator[None]:
    """Shut `wire` down should the block take longer. Raises: TimeoutError in place of whatever the block then met."""
    if wire is None:
        yield
        return
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with suppress(OSError):
            # A TLS socket's own way would wait for the other side.
            socket.socket.shutdown(wire, socket.SHUT_RDWR)

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


def wire_of(response: requests.Response) -> socket.socket | None:
    """Return the socket a response comes over, or None where it comes over none of ours."""
    wire: socket.socket | None = getattr(response.raw, WIRE, None)
    return wire


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:
        """Wait for the head of an answer as long as one read may take, in all."""
        return _in_time(self, super().getresponse)


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        """Wait for the head of an answer as long as one read may take, in all."""
        return _in_time(self, super().getresponse)


def _in_time(connection: HTTPConnection, answer: Any) -> Any:
    wire, response = connection.sock, None
    try:
        with cut_after(wire, seconds=connection.timeout or 0.0):
            response = answer()
    except TimeoutError:
        # A head that was cut off passes for one that ended there.
        if response is not None:
            response.close()
        raise
    setattr(response, WIRE, wire)
    return response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Wires(HTTPAdapter):
    """What a session is given to send by: connections that can be cut, directly and through a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the manager of direct connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the manager of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
