"""One simulated world: HQ, a few kiosks, their links and clocks, what people hold in their hands, and the history of it all.

Invariant: everything is decided by one `Random`; nothing happens at the same time, things only happen inside one another.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

from sqlalchemy.exc import OperationalError as CentralOperationalError

from demo.simulator import invariants
from demo.simulator.disk import Crash, Files, Machine
from demo.simulator.hq import Hq
from demo.simulator.kiosk import DEAD, Position, SimulatedKiosk
from demo.simulator.network import Answer, Link
from demo.simulator.template import START, Template
from pos import clock
from pos.db import DatabaseError
from pos.errors import PosError
from pos.slips import Slip
from sync.corner.rounds import RoundReport
from sync.http import PreparedRequest

T = TypeVar("T")

WELL_DATED = timedelta(seconds=90)
"""A slip says the minute of its issue; a kiosk that knows the time says the right one."""
NEW_KIOSKS = 0.2
"""The share of histories that begin with a kiosk without a catalogue."""
LOOKS = 0.3
"""The share of requests under way during which a page is read."""


class Violation(BaseException):
    """Something that must always hold did not. Not an `Exception`: nothing in the product may catch it."""


@dataclass(slots=True)
class HeldSlip:
    """A slip in a customer's hands. `is_lost`: the records it stood in were replaced by an older copy."""

    corner_id: str
    slip: Slip
    is_lost: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What names the slip: the key that signed it, and its counter."""
        return self.slip.key_id, self.slip.counter


@dataclass(slots=True)
class Backup:
    """HQ's files at a moment, and how many claims HQ had confirmed by then."""

    files: Files
    claims: int


@dataclass(slots=True)
class Ledger:
    """What happened for good, whatever machines remember of it."""

    papers: list[HeldSlip] = field(default_factory=list)
    dated: set[tuple[str, int]] = field(default_factory=set)
    weeks: int = 0
    claims: list[tuple[tuple[str, int], str]] = field(default_factory=list)
    roots: dict[tuple[str, str, int], str] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    seen: dict[str, list[Position]] = field(default_factory=dict)
    has_hq_forgotten: bool = False
    has_hq_branched: bool = False
    unheld: set[tuple[str, str, int]] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)


class World:
    """The state of one run."""

    def __init__(self, random: Random, root: Path, template: Template, *, kiosks: int) -> None:
        self.random = random
        self.time = START
        self.step = 0
        self.trace: list[str] = []
        self.ledger = Ledger()
        self.later: list[Callable[[], None]] = []
        self.running: list[Machine] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.hq = Hq(Machine("hq", root / "hq", Random(random.getrandbits(64))))
        self.hq.machine.start(template.hq)
        corners = random.sample([name for name in template.kiosks if name != template.new], kiosks)
        if random.random() < NEW_KIOSKS:
            corners[0] = template.new
        self.kiosks = [self._kiosk(name, root) for name in corners]
        for kiosk in self.kiosks:
            kiosk.machine.start(template.kiosks[kiosk.name])
        self.backups = [Backup(template.hq, 0)]

    def _kiosk(self, name: str, root: Path) -> SimulatedKiosk:
        machine = Machine(name, root / name, Random(self.random.getrandbits(64)))
        link = Link(
            self.random,
            self._ask,
            meanwhile=lambda: self._meanwhile(kiosk),
            pass_time=self.pass_time,
            later=self.later,
        )
        kiosk = SimulatedKiosk(machine, link)
        return kiosk

    @property
    def machines(self) -> list[Machine]:
        """Every computer there is."""
        return [self.hq.machine, *(kiosk.machine for kiosk in self.kiosks)]

    def open(self) -> None:
        """Start every process."""
        self.hq.open()
        for kiosk in self.kiosks:
            kiosk.open()

    def close(self) -> None:
        """End every process."""
        for kiosk in self.kiosks:
            kiosk.close()
        self.hq.close()

    def now(self) -> datetime:
        """Return what the clock of the machine that runs now shows; HQ's is right."""
        here = self.running[-1] if self.running else None
        return self.time + next((kiosk.offset for kiosk in self.kiosks if kiosk.machine is here), timedelta())

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass everywhere."""
        self.time += duration

    def say(self, text: str) -> None:
        """Add a line to the history."""
        self.trace.append(f"{self.step:4} {self.time:%m-%d %H:%M:%S} {'  ' * len(self.running)}{text}")

    def hash(self) -> str:
        """Return what names this history."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    def fail(self, text: str) -> Violation:
        """Note what was violated and return the exception to raise."""
        self.say(f"VIOLATED {text}")
        return Violation(text)

    # Who does what

    def at_kiosk(self, kiosk: SimulatedKiosk, what: str, act: Callable[[], T]) -> T | None:
        """Let something happen at a kiosk; None when it was refused or the process died of it."""
        return self._does(kiosk.machine, f"{kiosk.name} {what}", act)

    def at_hq(self, what: str, act: Callable[[], T]) -> T | None:
        """Let something happen at HQ, likewise; nothing does while it is down."""
        if self.hq.is_down:
            return None
        return self._does(self.hq.machine, f"hq {what}", act)

    def _does(self, machine: Machine, what: str, act: Callable[[], T]) -> T | None:
        try:
            with self._in(machine):
                return act()
        except Crash as crash:
            self.say(f"{what}: {crash.machine.name} stops dead")
            if crash.machine in self.running:
                raise
            self.restart(crash.machine)
        except PosError as problem:
            self.say(f"{what}: {problem.code}")
        except (DatabaseError, CentralOperationalError, OSError) as problem:
            if machine.room is None and not self._is_rotten(machine):
                raise self.fail(f"{what} raised {problem!r} {_place_of(problem)}") from problem
            self.say(f"{what}: {'no room' if machine.room is not None else 'rotten'}")
        except Exception as problem:
            raise self.fail(f"{what} raised {problem!r} {_place_of(problem)}") from problem
        return None

    def _is_rotten(self, machine: Machine) -> bool:
        return any(kiosk.machine is machine and kiosk.is_rotten() for kiosk in self.kiosks)

    @contextmanager
    def _in(self, machine: Machine) -> Iterator[None]:
        self.running.append(machine)
        try:
            yield
        finally:
            self.running.pop()

    def restart(self, machine: Machine) -> None:
        """Start a machine again from the picture its crash left."""
        if machine is self.hq.machine:
            self.hq.close()
            machine.start(machine.picture)
            self.hq.open()
            self.say("hq starts again")
            invariants.after_hq(self)
            return
        kiosk = next(each for each in self.kiosks if each.machine is machine)
        kiosk.begin(machine.picture)
        if kiosk.offset and self.random.random() < 0.3:
            kiosk.offset = DEAD - self.time if self.random.random() < 0.5 else timedelta()
        room, machine.room = machine.room, None
        kiosk.open()
        machine.room = room
        self.say(f"{kiosk.name} starts again")
        invariants.after_restart(self, kiosk)

    # The link's two ends

    def _ask(self, request: PreparedRequest) -> Answer | None:
        """Let a request arrive at HQ; None when nobody answers any more."""
        if self.hq.is_down:
            return None
        try:
            with self._in(self.hq.machine):
                return self.hq.answer(request)
        except Crash as crash:
            self.say(f"hq stops dead in {request.method} {request.path_url.rpartition('/')[0]}")
            self.restart(crash.machine)
            return None
        except Exception as problem:
            if self.hq.machine.room is None:
                raise self.fail(f"hq answered {request.path_url} with {problem!r} {_place_of(problem)}") from problem
            return 500, {}, b""

    def _meanwhile(self, kiosk: SimulatedKiosk) -> None:
        """Let a page be read and others act while a kiosk waits for HQ; the kiosk may also end here."""
        kiosk.machine.operate(writes=False)
        if self.random.random() < LOOKS:
            invariants.after_step(self, kiosk)
        if len(self.running) == 1:
            self.meanwhile()

    # What kiosks do

    def round(self, kiosk: SimulatedKiosk) -> RoundReport | None:
        """Let a kiosk do one round."""
        is_second = kiosk.machine in self.running
        report = self.at_kiosk(kiosk, "round", lambda: kiosk.round(is_called=kiosk.name not in self.ledger.positions))
        told, kiosk.link.told = kiosk.link.told, []
        if report is not None:
            invariants.after_step(self, kiosk)
        if report is not None and is_second:
            raise self.fail(f"{kiosk.name} did a second round while the first was under way")
        if report is not None:
            self.say(f"{kiosk.name} round {_words(report)}{' met ' + ', '.join(told) if told else ''}")
        return report

    def take_slip(self, kiosk: SimulatedKiosk) -> None:
        """Let a customer take a slip away."""
        slip = self.at_kiosk(kiosk, "slip", lambda: kiosk.issue(self.random))
        if slip is not None:
            self.ledger.papers.append(HeldSlip(kiosk.name, slip))
            if timedelta() <= self.time - clock.from_text(slip.issued_at) < WELL_DATED:
                self.ledger.dated.add((slip.key_id, slip.counter))
            self.say(f"{kiosk.name} slip {slip.number} of {slip.key_id} from publication {slip.facts['publication']}")

    def enrol(self, kiosk: SimulatedKiosk) -> bool:
        """Let an operator enrol a kiosk again; the same code is tried a few times. Returns whether it worked."""
        must_confirm = self.random.random() < 0.3
        code = self.at_hq("code", lambda: self.hq.start_enrolment(kiosk.name, must_confirm=must_confirm))
        for _ in range(4 if code else 0):
            self.ledger.positions.pop(kiosk.name, None)
            key_id = self.at_kiosk(kiosk, "enrol", lambda: kiosk.enrol(code or ""))
            if key_id:
                self.say(f"{kiosk.name} enrolled as {key_id}")
                self.ledger.positions.pop(kiosk.name, None)
                # A copy older than this would not know the device, and nothing signed with its key.
                self.forget_backups()
                return True
            confirmed = self.at_hq("confirm", lambda: self.hq.confirm(kiosk.name)) if must_confirm else None
            if confirmed:
                self.say(f"hq confirms {kiosk.name}")
        return False

    def forget_backups(self) -> None:
        """Let nobody put back a copy from before now."""
        self.backups.clear()
        self.keep_backup()

    def keep_backup(self) -> None:
        """Keep a copy of HQ's files."""
        self.backups.append(Backup(self.hq.machine.files(), len(self.ledger.claims)))


def _words(report: RoundReport) -> str:
    moved, pushed = report.moved, report.pushed
    words = []
    if moved is not None:
        way = f" by {moved.segments} segments, {moved.parts} parts" if moved.segments or moved.parts else ""
        words.append(f"{moved.before}→{moved.publication}{way}")
    if pushed is not None:
        words.append(f"sent {pushed.sent}, acked {pushed.acked}, pending {pushed.pending}")
    if report.problems:
        words.append(", ".join(str(problem.data.get("code") or problem.code) for problem in report.problems))
    return "; ".join(words)


def _place_of(problem: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if "/simulator/" not in frame.filename]
    last = frames[-3:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(last))
