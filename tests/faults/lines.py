"""The network between a kiosk and HQ at its worst: a relay that is slow, breaks off, swallows answers or is a captive portal."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SLICE_S = 0.02


class PoorLine:
    """A relay to a port of this machine. Its faults are attributes, to be changed while it runs.

    `bytes_per_s` limits answers; `breaks_after` cuts each connection after so many bytes of answer,
    `silent_after` sends no more and keeps it open; `is_deaf` lets requests
    through and swallows the answers; `page` is what a captive portal says to everything.
    """

    def __init__(self, to_port: int) -> None:
        self.bytes_per_s: int | None = None
        self.breaks_after: int | None = None
        self.silent_after: int | None = None
        self.is_deaf = False
        self.page: bytes | None = None
        self.answered = 0
        self._to_port = to_port
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._live: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._spawn(self._accept)

    def cut(self) -> None:
        """Break every connection there is."""
        for end in list(self._live):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop; every socket and thread is gone afterwards."""
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in list(self._threads):
            thread.join()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._spawn(self._portal if self.page is not None else self._connect, near)

    def _portal(self, near: socket.socket) -> None:
        page = self.page or b""
        with near, suppress(OSError):
            self._live.append(near)
            near.recv(65536)
            near.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n")
            near.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(page), page))

    def _connect(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to_port)) as far:
            self._live += [near, far]
            self._spawn(self._ask, near, far)
            self._answer(far, near)

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)
        with suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        sent = 0
        with suppress(OSError):
            while data := far.recv(self._slice(sent)):
                if self.is_deaf:
                    break
                if self.silent_after is not None:
                    data = data[: max(0, self.silent_after - sent)]
                near.sendall(data)
                sent += len(data)
                self.answered += len(data)
                if self.breaks_after is not None and sent >= self.breaks_after:
                    break
                if self.bytes_per_s is not None:
                    time.sleep(len(data) / self.bytes_per_s)
        for end in (near, far):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _slice(self, sent: int) -> int:
        most = 65536 if self.bytes_per_s is None else max(1, int(self.bytes_per_s * SLICE_S))
        return most if self.breaks_after is None else max(1, min(most, self.breaks_after - sent))


@contextmanager
def poor_line(to_port: int) -> Iterator[PoorLine]:
    """Lend a line to a port until the block ends."""
    line = PoorLine(to_port)
    try:
        yield line
    finally:
        line.close()
