"""The kiosk's server: a request is read whole, and its answer written, without a thread waiting for whoever is at the other end.

cheroot parses and its threads answer; this door stands in front of them. Invariant: a thread is given a request only once all of
it has arrived, within one deadline and a size for the whole of it; and no more than half of the threads wait for slow readers.
"""

from __future__ import annotations

import errno
import fcntl
import io
import queue
import re
import selectors
import socket
import struct
import termios
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from select import POLLOUT, poll
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server

THREADS = 8
READ_BYTES = 2**16
SEND_BUFFER_BYTES = 2**19
"""What the kernel is asked to hold of an answer, so that a page leaves its thread at once however it is read."""
TICK_S = 0.25
CLOGGED_TICK_S = 0.005
LINGER_S = 2.0
_HEAD_END = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """What a connection may take: seconds for a whole request, or idle between two; bytes; and how many wait at once."""

    request_s: float = 10.0
    answer_s: float = 10.0
    answer_bytes_a_s: int = 2**16
    head_bytes: int = 2**14
    body_bytes: int = 2**14
    connections: int = 512
    queued: int = 256


class KioskServer(Server):
    """cheroot behind a door: `prepare` takes the port, `serve` answers with `wsgi_app` until `end`."""

    _connections: Any

    def __init__(self, address: tuple[str, int], *, limits: DoorLimits | None = None) -> None:
        super().__init__(address, None, numthreads=THREADS, server_name="kiosk", request_queue_size=socket.SOMAXCONN)
        self._limits = limits or DoorLimits()

    def prepare(self) -> None:
        """Listen. Raises: OSError where the address cannot be had."""
        super().prepare()
        self._connections.close()
        self._connections = FrontDoor(self, self._limits)

    def serve(self) -> None:
        """Answer until `end`; what is being answered then is left to its threads."""
        self._connections.run()

    def end(self) -> None:
        """Make `serve` return soon; safe in a signal handler."""
        self._connections.stop()

    def wait_idle(self, *, until: float) -> None:
        """Wait for the answers under way, until a monotonic time at most."""
        while self._connections.inside and time.monotonic() < until:
            time.sleep(0.01)


class RequestHead(HTTPRequest):
    """A request whose address cannot be one, such as `http://[::1`, is malformed: cheroot would call it our own failure."""

    def read_request_line(self) -> bool:
        """Read the first line; return whether it is one."""
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call]  # cheroot's stubs leave it open
        except ValueError:
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False


class Guest(HTTPConnection):
    """One connection: what has arrived of its next request, since when, and what cheroot reads and writes it through."""

    RequestHandlerClass = RequestHead

    def __init__(self, door: FrontDoor, connected: socket.socket) -> None:
        self.door = door
        self.received = bytearray()
        self.since = time.monotonic()
        self.is_cut = False
        """The rest of the body stays unread: nothing that follows is a request."""
        self.is_leaving = False
        super().__init__(door.server, connected, self._file)

    def _file(self, connected: socket.socket, mode: str, _size: int) -> Any:
        return io.BytesIO() if mode == "rb" else AnswerWriter(connected, self.door.limits, self.door.slow)

    def communicate(self) -> bool:
        """Answer the request in `rfile`; return whether another may follow."""
        self.wfile.begin()
        may_follow: bool = super().communicate()  # type: ignore[no-untyped-call]  # cheroot's stubs leave it open
        return may_follow and not self.is_cut

    def close(self) -> None:
        """End the connection; one that is still sending is read from for a moment, or it would lose the answer."""
        self.door.inside.discard(self)
        if self.is_cut and not self.is_leaving:
            self.door.put(self)
        else:
            super().close()


class AnswerWriter:
    """The way back: the kernel takes what it has room for, and the thread waits for the rest only in one of few places."""

    bytes_written = 0

    def __init__(self, connected: socket.socket, limits: DoorLimits, slow: threading.Semaphore) -> None:
        self._socket = connected
        self._limits = limits
        self._slow = slow
        self._sent = 0
        self._began = 0.0

    def begin(self) -> None:
        """Begin another answer."""
        self._began, self._sent = time.monotonic(), 0

    def write(self, content: bytes) -> int:
        """Send all of `content`. Raises: ConnectionResetError for a reader that is gone, or too slow."""
        rest = memoryview(content)
        while rest:
            try:
                taken = self._socket.send(rest)
            except BlockingIOError:
                self._wait()
            else:
                rest = rest[taken:]
                self._sent += taken
        return len(content)

    def _wait(self) -> None:
        if not self._slow.acquire(blocking=False):
            raise ConnectionResetError(errno.ECONNRESET, "too many slow readers")
        try:
            deadline = self._began + self._limits.answer_s + self._sent / self._limits.answer_bytes_a_s
            waiting = poll()
            waiting.register(self._socket, POLLOUT)
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise ConnectionResetError(errno.ECONNRESET, "reads too slowly")
        finally:
            self._slow.release()


class FrontDoor:
    """Stands where cheroot has its connection manager: `put` and `can_add_keepalive_connection` are what cheroot asks."""

    can_add_keepalive_connection = True

    def __init__(self, server: KioskServer, limits: DoorLimits) -> None:
        self.server = server
        self.limits = limits
        self.slow = threading.Semaphore(THREADS // 2)
        self.inside: set[Guest] = set()
        """Guests whose request waits for a thread or has one."""
        self._waiting: dict[Guest, None] = {}
        """Guests we wait for, whoever has been waited for longest first."""
        self._clogged: set[Guest] = set()
        """Of those, guests who asked again before they had read the last answer; they come when nobody else waits."""
        self._back: queue.SimpleQueue[Guest] = queue.SimpleQueue()
        self._bell, self._rope = socket.socketpair()
        self._is_stopped = False
        self._selector = selectors.DefaultSelector()
        for end in (self._bell, self._rope, server.socket):
            end.setblocking(False)
        self._selector.register(server.socket, selectors.EVENT_READ, self._admit)
        self._selector.register(self._bell, selectors.EVENT_READ, self._take_back)

    def run(self) -> None:
        """Admit, read and hand on until `stop`."""
        while not self._is_stopped:
            for key, _ in self._selector.select(CLOGGED_TICK_S if self._clogged else TICK_S):
                if not isinstance(key.data, Guest):
                    key.data()
                elif key.data in self._waiting:
                    # A guest that was turned out meanwhile, to make room, is in the list still.
                    self._read(key.data)
            for guest in list(self._clogged):
                self._hand_on(guest)
            self._turn_out_late()
        self._selector.close()

    def stop(self) -> None:
        """Make `run` return soon."""
        self._is_stopped = True
        self._ring()

    def put(self, guest: Guest) -> None:
        """Take a guest back from a thread, to wait for the next request."""
        self.inside.discard(guest)
        self._back.put(guest)
        self._ring()

    def _ring(self) -> None:
        with suppress(BlockingIOError):
            self._rope.send(b"\0")

    def _admit(self) -> None:
        try:
            connected, address = self.server.socket.accept()
        except OSError:
            # Gone before we looked, or no descriptor is left: whoever is waited for longest makes room.
            self._turn_out(next(iter(self._waiting), None))
            return
        connected.setblocking(False)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        guest = Guest(self, connected)
        guest.remote_addr, guest.remote_port = address[:2]
        if len(self._waiting) >= self.limits.connections:
            self._turn_out(next(iter(self._waiting)))
        self._wait_for(guest)

    def _take_back(self) -> None:
        with suppress(BlockingIOError):
            self._bell.recv(READ_BYTES)
        while not self._back.empty():
            guest = self._back.get()
            self._wait_for(guest)
            if guest.is_cut:
                self._see_out(guest)
            elif guest.received:
                self._pause(guest)

    def _wait_for(self, guest: Guest) -> None:
        guest.since = time.monotonic()
        self._waiting[guest] = None
        self._selector.register(guest.socket, selectors.EVENT_READ, guest)

    def _read(self, guest: Guest) -> None:
        try:
            content = guest.socket.recv(READ_BYTES)
        except OSError:
            content = b""
        if not content:
            self._turn_out(guest)
        elif not guest.is_leaving:
            if not guest.received:
                # The request begins now; until then the connection was idle.
                self._count_anew(guest)
            guest.received += content
            self._hand_on(guest)

    def _hand_on(self, guest: Guest) -> None:
        """Give the guest to a thread if its request is whole, or has shown what it is."""
        end = _HEAD_END.search(guest.received)
        if (end.end() if end else len(guest.received)) > self.limits.head_bytes:
            self._refuse(guest, "431 Request Header Fields Too Large" if b"\n" in guest.received else "414 URI Too Long")
            return
        if end is None:
            self._read_on(guest)
            return
        try:
            length = _body_length(bytes(guest.received[: end.end()]))
        except ValueError as problem:
            self._refuse(guest, str(problem))
            return
        whole = end.end() + length
        # The app refuses what is longer by its announced length alone, in its own words.
        guest.is_cut = length > self.limits.body_bytes
        if len(guest.received) < whole and not guest.is_cut:
            self._read_on(guest)
            return
        if _unread(guest.socket) or (guest in self._clogged and self.server.requests.qsize):
            self._pause(guest)
        elif self.server.requests.qsize >= self.limits.queued:
            self._refuse(guest, "503 Service Unavailable")
        else:
            self._forget(guest)
            guest.rfile = io.BytesIO(guest.received[:whole])
            del guest.received[:whole]
            self.inside.add(guest)
            self.server.process_conn(guest)

    def _pause(self, guest: Guest) -> None:
        """Read no more of the guest until it has read its last answer."""
        if guest not in self._clogged:
            self._clogged.add(guest)
            self._selector.unregister(guest.socket)

    def _read_on(self, guest: Guest) -> None:
        """Read the rest of a request, whose beginning may have come behind another."""
        if guest in self._clogged:
            self._clogged.discard(guest)
            self._selector.register(guest.socket, selectors.EVENT_READ, guest)

    def _count_anew(self, guest: Guest) -> None:
        """Wait for the guest from now on."""
        del self._waiting[guest]
        self._waiting[guest] = None
        guest.since = time.monotonic()

    def _refuse(self, guest: Guest, status: str) -> None:
        answer = (
            f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {len(status)}\r\n\r\n{status}"
        )
        with suppress(OSError):
            guest.socket.send(answer.encode())
        self._see_out(guest)

    def _see_out(self, guest: Guest) -> None:
        """Say that no more is coming, and read on for a moment: closed at once, the answer might be lost on its way."""
        guest.is_leaving = True
        guest.received.clear()
        self._count_anew(guest)
        with suppress(OSError):
            guest.socket.shutdown(socket.SHUT_WR)

    def _turn_out_late(self) -> None:
        now = time.monotonic()
        for guest in list(self._waiting):
            if now - guest.since > (LINGER_S if guest.is_leaving else self.limits.request_s):
                if guest.received:
                    self._refuse(guest, "408 Request Timeout")
                self._turn_out(guest)

    def _turn_out(self, guest: Guest | None) -> None:
        if guest is not None:
            self._forget(guest)
            guest.is_leaving = True
            guest.close()

    def _forget(self, guest: Guest) -> None:
        del self._waiting[guest]
        if guest in self._clogged:
            self._clogged.discard(guest)
        else:
            self._selector.unregister(guest.socket)


def _body_length(head: bytes) -> int:
    """Return how many bytes follow the head of a request. Raises: ValueError with the status that refuses it."""
    lengths = set()
    for line in head.split(b"\n")[1:]:
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if name == b"transfer-encoding":
            raise ValueError("411 Length Required")
        if name == b"content-length":
            lengths.add(value)
    if not lengths:
        return 0
    if len(lengths) > 1 or not (value := lengths.pop()).isdigit() or len(value) > 18:
        raise ValueError("400 Bad Request")
    return int(value)


def _unread(connected: socket.socket) -> int:
    """Return how many bytes sent to a socket its reader has not taken yet."""
    (unread,) = struct.unpack("i", fcntl.ioctl(connected, termios.TIOCOUTQ, bytes(4)))
    return int(unread)
