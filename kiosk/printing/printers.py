"""What is said between us and a printer: its state, and the truth about each job sent to it.

A printer is believed only on what it answers. Without an answer its state is unknown, and a job of which one byte has left is
uncertain until the printer confirms it (reference/printing.md §5.2). One connection a job: many printers accept only one.
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from kiosk.printing import transports


@dataclass(frozen=True, slots=True)
class PrinterState:
    """`ok` only when the printer answered every question; `unknown` when it is there and silent.

    Reasons: cover_open, paper_out, paper_near_end, cutter, error, not_ready; silent, closed; unreachable.
    """

    state: Literal["ok", "fault", "unknown", "offline"]
    reasons: tuple[str, ...] = ()

    def must_wait(self) -> bool:
        """Tell whether a job sent now would certainly not come out: its printer said so, or is not there."""
        return self.state in ("fault", "offline") or "closed" in self.reasons


OFFLINE = PrinterState("offline", ("unreachable",))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`confirmed`: printed; `failed`: certainly nothing printed, no byte was sent; `uncertain`: a person must look.

    Reasons: process_id or buffer_read when confirmed; those of `PrinterState`, or stalled, no_answer, closed otherwise.
    """

    state: Literal["confirmed", "uncertain", "failed"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds allowed to each step of a job, each counted from the step's beginning."""

    connect_s: float = 3.0
    status_s: float = 1.0
    write_s: float = 10.0
    """Time without a byte taken, not for the whole job."""
    confirm_s: float = 15.0
    grace_s: float = 2.0
    """Time for a process id after the buffer was reported read: a printer that knows ids sends one when the paper is out."""


_QUESTIONS: tuple[tuple[int, dict[int, str]], ...] = (
    (2, {0x04: "cover_open", 0x20: "paper_out", 0x40: "error"}),
    (3, {0x08: "cutter", 0x20: "error"}),
    (4, {0x60: "paper_out", 0x0C: "paper_near_end"}),
    (1, {0x08: "not_ready"}),
)
"""`DLE EOT n` and the bits of its answer, the telling ones before the general one (Epson, printing.md §5.2)."""

_ID_CHARACTERS = string.ascii_uppercase + string.digits


def status(address: str, deadline_s: float = 1.0) -> PrinterState:
    """Ask a printer how it is, within `deadline_s` after connecting (itself at most `deadline_s`)."""
    try:
        conversation = Conversation(address, deadline_s)
    except OSError:
        return OFFLINE
    with conversation:
        return conversation.status(deadline_s)


def new_process_id() -> bytes:
    """Return four letters and digits that name one job to its printer."""
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(4)).encode()


def _confirmation_request(process_id: bytes) -> bytes:
    """`GS ( H` asks for the id back once all is printed; `GS r 1` for a byte once all is read, for printers without ids."""
    return b"\x1d(H\x06\x00\x30\x30" + process_id + b"\x1dr\x01"


def _faults(told: list[str]) -> tuple[str, ...]:
    """Return what stops printing; the general "not ready" only when nothing says why."""
    faults = [reason for reason in told if reason != "paper_near_end"]
    return tuple(reason for reason in faults if reason != "not_ready") or tuple(faults)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One thing a printer said: a status byte, four automatic ones, a paper sensor byte, a process id, flow control."""

    kind: Literal["status", "automatic", "paper", "process_id", "flow", "noise"]
    data: bytes


class Conversation:
    """An open printer whose every wait has an end; it is closed at the end of a `with`. Raises: OSError on opening only."""

    def __init__(self, address: str, deadline_s: float) -> None:
        self.transport = transports.connect(address, deadline_s)
        self.unread = b""
        self.is_closed = False
        self.late_ids: list[bytes] = []
        """Process ids of other jobs than the one in hand, as they arrived."""

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the printer."""
        self.transport.close()

    def status(self, deadline_s: float) -> PrinterState:
        """Ask all questions within one deadline. One silence makes the whole unknown, unless a fault was already told."""
        until = time.monotonic() + deadline_s
        told: list[str] = []
        for number, meanings in _QUESTIONS:
            self._write(bytes([0x10, 0x04, number]), deadline_s)
            answer = self._answer(until, kind="status")
            if answer is None:
                faults = _faults(told)
                silence = "closed" if self.is_closed else "silent"
                return PrinterState("fault", faults) if faults else PrinterState("unknown", (silence,))
            told += [reason for bits, reason in meanings.items() if answer.data[0] & bits and reason not in told]
        faults = _faults(told)
        return PrinterState("fault", faults) if faults else PrinterState("ok", tuple(told))

    def deliver(self, data: bytes, process_id: bytes, deadlines: Deadlines) -> Outcome | None:
        """Write a job and the question whether it is out; None when all of it went, else what is known of it."""
        count, problem = self._write(data + _confirmation_request(process_id), deadlines.write_s)
        if problem:
            return Outcome("uncertain" if count else "failed", problem)
        return None

    def confirmation(self, process_id: bytes, deadlines: Deadlines) -> Outcome:
        """Wait for the printer's word on the job just delivered."""
        until = time.monotonic() + deadlines.confirm_s
        is_read, problem = False, "no_answer"
        while answer := self._answer(until):
            if answer.kind == "process_id" and answer.data == process_id:
                return Outcome("confirmed", "process_id")
            if answer.kind == "paper" and answer.data[0] & 0x0C:
                problem = "paper_out"
            elif answer.kind == "paper" and not is_read:
                is_read = True
                until = min(until, time.monotonic() + deadlines.grace_s)
        if self.is_closed:
            return Outcome("uncertain", "closed")
        after = self.status(deadlines.status_s)
        if after.state == "fault":
            return Outcome("uncertain", after.reasons[0])
        if is_read and problem == "no_answer":
            return Outcome("confirmed", "buffer_read")
        return Outcome("uncertain", problem)

    def listen(self, wait_s: float) -> None:
        """Hear what the printer says of jobs of before: their ids gather in `late_ids`."""
        until = time.monotonic() + wait_s
        while self._answer(until):
            pass

    def _write(self, data: bytes, deadline_s: float) -> tuple[int, str]:
        """Hand all bytes over; return how many went, and why no more: `stalled` when none went for so long, or `closed`."""
        until = time.monotonic() + deadline_s
        count, rest = 0, memoryview(data)
        try:
            while count < len(data):
                if time.monotonic() >= until:
                    raise TimeoutError
                written = self.transport.write(rest[count:], until)
                count += written
                if written:
                    # A slow line takes minutes for a picture: what counts is that it goes on.
                    until = time.monotonic() + deadline_s
        except TimeoutError:
            return count, "stalled"
        except OSError:
            self.is_closed = True
            return count, "closed"
        return count, ""

    def _answer(self, until: float, *, kind: str | None = None) -> _Answer | None:
        """Return the next answer (of this kind; others are passed over), or nothing at the deadline or the end."""
        while not self.is_closed:
            for answer, rest in _parsed(self.unread):
                self.unread = rest
                if answer.kind == "process_id":
                    self.late_ids.append(answer.data)
                if kind in {None, answer.kind}:
                    return answer
            if time.monotonic() >= until:
                return None
            self._receive(until)
        return None

    def _receive(self, until: float) -> None:
        try:
            received = self.transport.read(until)
        except TimeoutError:
            return
        except OSError:
            received = b""
        self.is_closed = not received
        self.unread += received


def _parsed(data: bytes) -> Iterator[tuple[_Answer, bytes]]:
    """Yield each whole answer with what follows it. The first byte tells the kind (printing.md §5.2)."""
    while data:
        kind, length = _framed(data)
        if len(data) < length:
            return
        answer, data = _Answer(kind, data[2:6] if kind == "process_id" else data[:length]), data[length:]
        yield answer, data


def _framed(data: bytes) -> tuple[Literal["status", "automatic", "paper", "process_id", "flow", "noise"], int]:
    first = data[0]
    if first == 0x37:
        if data[1:2] in {b"", b"\x22"}:
            return "process_id", 7
        # Another block: 37, its name, bytes up to 00.
        end = data.find(b"\x00")
        return "noise", end + 1 if end >= 0 else len(data) + 1
    kinds: tuple[tuple[Callable[[int], bool], Literal["status", "automatic", "paper", "flow"], int], ...] = (
        (lambda byte: byte & 0x93 == 0x12, "status", 1),
        (lambda byte: byte & 0x93 == 0x10, "automatic", 4),
        (lambda byte: byte in {0x11, 0x13}, "flow", 1),
        (lambda byte: byte & 0x90 == 0, "paper", 1),
    )
    return next(((kind, length) for fits, kind, length in kinds if fits(first)), ("noise", 1))
