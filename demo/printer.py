"""A thermal printer for a machine that has none: raw TCP in, pictures of paper out.

It answers as an Epson on a network does: one connection at a time, real-time status even in the middle of a job, a process id
once the job is on paper, nothing printed while paper is missing. Faults can be scripted; the rest stays as true as without them.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image

from demo.mailbox import Mailbox
from demo.paper import CODE_PAGES, Cut, Interpreter, PrinterReply
from demo.viewer import Viewer

_TICK_S = 0.05
_IDLE_S = 60.0
BEYOND_QUESTIONS = 64
_MOST_PAPERS = 100
_NOISE = b"\x10\x00\x0c\x00\x13\x11"
"""An automatic status that says "paper out", long out of date, and flow control: what a careless reader takes for an answer."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """What is wrong with the printer. Counts are bytes of one connection; both may change at any time."""

    paper_out: bool = False
    cover_open: bool = False
    paper_near_end: bool = False
    cutter_stuck: bool = False
    is_silent: bool = False
    sends_noise: bool = False
    paper_out_after: int | None = None
    reset_after: int | None = None
    close_after: int | None = None
    stall_after: int | None = None
    knows_ids: bool = True
    stale_id: bytes = b""
    """The id of an earlier job, sent late: once `stale_after` bytes of this connection came, usually those of another job."""
    stale_after: int = BEYOND_QUESTIONS
    late_s: float = 0.0
    """How long an id waits before it is sent."""
    slow_s: float = 0.0
    """How long it takes over every 100 bytes."""
    prints_twice: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper that came out: as PNG, its words, and what the printer did not understand on it."""

    png: bytes
    text: str
    errors: tuple[str, ...]


class VirtualPrinter:
    """A printer on `port` whose papers can be seen at `viewer_port`, beside the mails of `mailbox`.

    Port 0 takes a free one, known after `start`.
    """

    def __init__(
        self,
        port: int,
        viewer_port: int | None,
        host: str = "127.0.0.1",
        *,
        paper_mm: int = 80,
        mailbox: Mailbox | None = None,
        code_pages: Mapping[int, str] = CODE_PAGES,
    ) -> None:
        self.host = host
        self.port = port
        self.viewer_port = viewer_port
        self.mailbox = mailbox
        self.faults = Faults()
        self.is_stopping = threading.Event()
        self._lock = threading.Lock()
        self._waiting = b""
        self._interpreter = Interpreter(paper_mm, code_pages)
        self._papers: list[Paper] = []
        self._first_no = 1
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._viewer: Viewer | None = None

    def start(self) -> None:
        """Listen on both ports. Raises: OSError when one is taken."""
        self.is_stopping.clear()
        self._listener = socket.create_server((self.host, self.port))
        self._listener.settimeout(_TICK_S)
        self.port = self._listener.getsockname()[1]
        if self.viewer_port is not None:
            self._viewer = Viewer(self, self.viewer_port)
            self.viewer_port = self._viewer.server_port
            self._run(self._viewer.serve_forever, "viewer")
        self._run(self._accept, "printer")

    def stop(self) -> None:
        """Close both ports and wait for what is under way to end."""
        self.is_stopping.set()
        if self._viewer is not None:
            self._viewer.shutdown()
            self._viewer.server_close()
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def papers(self) -> dict[int, Paper]:
        """Return the papers that came out, by number from 1; only the latest are kept."""
        with self._lock:
            return dict(enumerate(self._papers, start=self._first_no))

    def uncut(self) -> bytes | None:
        """Return the picture of what is printed and not cut, or nothing."""
        with self._lock:
            picture = self._interpreter.uncut()
        return _png(picture) if picture else None

    def has_uncut(self) -> bool:
        """Tell whether something is printed and not cut."""
        with self._lock:
            return self._interpreter.has_uncut()

    def can_print(self) -> bool:
        """Tell whether paper is there, the cover closed and the cutter free."""
        return not (self.faults.paper_out or self.faults.cover_open or self.faults.cutter_stuck)

    def receive(self, data: bytes) -> None:
        """Keep bytes until they can be printed; they outlive the connection that brought them."""
        self._waiting += data

    def print_waiting(self, reply: Callable[[bytes], None]) -> None:
        """Print what waits, if the printer can, and give every answer to `reply`."""
        if not self._waiting or not self.can_print():
            return
        data, self._waiting = self._waiting, b""
        # The lock is held until the paper is stored: who was told "printed" and asks for the picture finds it.
        with self._lock:
            events = self._interpreter.feed(data)
            for event in events:
                if isinstance(event, PrinterReply):
                    reply(event.data)
            cuts = [Paper(_png(event.picture), event.text, event.errors) for event in events if isinstance(event, Cut)]
            self._papers += [paper for paper in cuts for _ in range(2 if self.faults.prints_twice else 1)]
            surplus = max(0, len(self._papers) - _MOST_PAPERS)
            self._first_no += surplus
            del self._papers[:surplus]

    def _run(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=f"virtual-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self.is_stopping.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                self.print_waiting(_to_nobody)
                continue
            with connection, contextlib.suppress(OSError):
                _Job(self, connection).serve()
            self.print_waiting(_to_nobody)
            if not self._waiting:
                with self._lock:
                    self._interpreter.end_of_connection()


class _Job:
    """One connection, with the faults that strike at a byte of it."""

    def __init__(self, printer: VirtualPrinter, connection: socket.socket) -> None:
        self.printer = printer
        self.connection = connection
        self.faults = printer.faults
        self.received = 0
        self.tail = b""

    def serve(self) -> None:
        """Read until the other side ends, a fault ends it, or nothing has come for a minute. Raises: OSError."""
        self.connection.settimeout(_TICK_S)
        quiet_since = time.monotonic()
        while not self.printer.is_stopping.is_set() and time.monotonic() - quiet_since < _IDLE_S:
            self.printer.print_waiting(self._reply)
            if self._has_reached(self.faults.stall_after):
                time.sleep(_TICK_S)
                continue
            try:
                data = self.connection.recv(self._appetite())
            except TimeoutError:
                continue
            if not data:
                return
            quiet_since = time.monotonic()
            self._take(data)
            if self._has_reached(self.faults.reset_after):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if self._has_reached(self.faults.close_after):
                return

    def _take(self, data: bytes) -> None:
        """Keep the bytes; answer real-time questions at once, wherever they stand, as printers do."""
        time.sleep(self.faults.slow_s)
        self.received += len(data)
        self.printer.receive(data)
        if self.faults.stale_id and self._has_reached(self.faults.stale_after):
            self._send(b"\x37\x22" + self.faults.stale_id + b"\x00")
            self.faults.stale_id = b""
        if self.faults.paper_out_after is not None and self._has_reached(self.faults.paper_out_after):
            self.printer.print_waiting(self._reply)
            self.faults.paper_out = True
        seen = self.tail + data
        for question in re.finditer(rb"\x10\x04([\x01-\x04])", seen):
            self._send(bytes([self._status(question[1][0])]))
        self.tail = next((end for end in (b"\x10\x04", b"\x10") if seen.endswith(end)), b"")

    def _status(self, number: int) -> int:
        no_paper, is_open = self.faults.paper_out, self.faults.cover_open
        flags = {
            1: 0 if self.printer.can_print() else 0x08,
            2: (0x04 if is_open else 0) | (0x20 if no_paper else 0),
            3: 0x08 if self.faults.cutter_stuck else 0,
            4: 0x6C if no_paper else 0x0C if self.faults.paper_near_end else 0,
        }
        return 0x12 | flags.get(number, 0)

    def _reply(self, data: bytes) -> None:
        """Answer in the order of printing; an id late or not at all where so scripted."""
        is_id = data[:1] == b"\x37"
        if is_id and not self.faults.knows_ids:
            return
        if is_id and self.faults.late_s:
            time.sleep(self.faults.late_s)
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self.faults.is_silent:
            return
        # A reader that has gone no longer matters: what it asked is printed all the same.
        with contextlib.suppress(OSError):
            self.connection.sendall((_NOISE if self.faults.sends_noise else b"") + data)

    def _has_reached(self, count: int | None) -> bool:
        return count is not None and self.received >= count

    def _appetite(self) -> int:
        """Return how much to read at most, so that a fault strikes at its byte."""
        limits = (self.faults.reset_after, self.faults.close_after, self.faults.stall_after, self.faults.paper_out_after)
        ahead = [limit - self.received for limit in limits if limit is not None and limit > self.received]
        return min([100 if self.faults.slow_s else 4096, *ahead])


def _to_nobody(_: bytes) -> None:
    """Drop an answer whose asker has gone."""


def _png(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=3)
    return target.getvalue()
