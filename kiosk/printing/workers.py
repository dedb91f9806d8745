"""One thread a printer: it takes the oldest paper of its queue, and nothing that happens to one printer holds up another.

A printer is asked how it is before each paper and now and then between; one that cannot print keeps its papers waiting. After an
uncertain paper the conversation stays open for a while: a printer that gets new paper prints what it holds, and says so late.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kiosk.printing import print_jobs, printers
from kiosk.printing.installed import InstalledPrinter, installed_printer, installed_printers, note_state
from kiosk.printing.paper import largest_strip
from kiosk.printing.printers import OFFLINE, Conversation, Deadlines, Outcome, PrinterState
from pos import clock
from pos.db import DatabaseError, Store
from pos.errors import NotFound, PosError, PrinterOffline

LOG = logging.getLogger("kiosk.printing")
RETRY_S = 2.0
"""How soon a printer that cannot print is asked again while papers wait for it."""
LOOK_S = 20.0
"""How often a printer with nothing to do is asked how it is."""
LISTENING_S = 600.0
"""How long a printer is listened to after an uncertain paper, unless the next one comes."""
THREAD = "printer-"


@dataclass(slots=True)
class _Bell:
    """Wakes a worker: for a paper, or for somebody who wants to know now how the printer is."""

    rings: int = 0
    looks_wanted: int = 0
    looks_done: int = 0


@dataclass(slots=True)
class Workers:
    """The threads of a kiosk's printers, started when first needed. `store` returns the records, or None once they are closed."""

    store: Callable[[], Store | None]
    deadlines: Deadlines = field(default_factory=Deadlines)
    changed: threading.Condition = field(default_factory=threading.Condition)
    bells: dict[str, _Bell] = field(default_factory=dict)
    is_stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start the worker of every printer, so that each is looked after from the beginning. Raises: DatabaseError."""
        store = self.store()
        for each in installed_printers(store.read()) if store else ():
            self.wake(each.name)

    def wake(self, name: str) -> None:
        """Let a printer's worker look at its queue, starting it where none is at work."""
        with self.changed:
            if name not in self.bells:
                self.bells[name] = _Bell()
                threading.Thread(target=_Worker(self, name).run, name=f"{THREAD}{name}", daemon=True).start()
            self.bells[name].rings += 1
            self.changed.notify_all()

    def look(self, name: str, wait_s: float) -> None:
        """Have a printer asked how it is, and wait so long at most for the answer; one that prints is not disturbed."""
        self.look_at_all([name], wait_s)

    def look_at_all(self, names: Sequence[str], wait_s: float) -> None:
        """Have printers asked how they are, all at once, and wait so long at most for all the answers."""
        for name in names:
            self.wake(name)
        with self.changed:
            bells = [bell for name in names if (bell := self.bells.get(name)) is not None]
            for bell in bells:
                bell.looks_wanted += 1
            wanted = [bell.looks_wanted for bell in bells]
            self.changed.notify_all()
            self.changed.wait_for(lambda: all(bell.looks_done >= want for bell, want in zip(bells, wanted, strict=True)), wait_s)

    def wait_ended(self, job_id: int, wait_s: float) -> None:
        """Wait so long at most until a paper has ended or is known to wait."""
        until = time.monotonic() + wait_s
        with self.changed:
            while not self._is_settled(job_id) and (left := until - time.monotonic()) > 0:
                self.changed.wait(left)

    def stop(self, *, until: float) -> None:
        """Begin nothing more, and wait until a monotonic time at most for what is with the printers to be written down."""
        self.is_stopping.set()
        with self.changed:
            self.changed.notify_all()
        for thread in threading.enumerate():
            if thread.name.startswith(THREAD):
                thread.join(max(0.0, until - time.monotonic()))

    def _is_settled(self, job_id: int) -> bool:
        store = self.store()
        found = print_jobs.job(store.read(), job_id, now=clock.now()) if store else None
        return (
            found is None or found["state"] not in print_jobs.UNDER_WAY or (found["state"] == "queued" and found["reason"] != "")
        )


class _Worker:
    """Looks after one printer until the kiosk stops or the printer is taken away."""

    def __init__(self, workers: Workers, name: str) -> None:
        self.workers = workers
        self.name = name
        self.listening: Conversation | None = None
        self.listens_to = ""
        self.listens_until = 0.0
        self.may_be_torn = False
        self.heard_rings = 0
        self.known = PrinterState("unknown")
        self.looked_at = 0.0

    def run(self) -> None:
        """Work until there is nothing more to work for."""
        is_first, pause_s = True, 0.0
        bell = self.workers.bells[self.name]
        while not self.workers.is_stopping.is_set() and (store := self.workers.store()) is not None:
            wanted = bell.looks_wanted
            try:
                if is_first:
                    with store.write() as ops:
                        print_jobs.settle_interrupted(ops, now=clock.now(), printer=self.name)
                    self.may_be_torn |= print_jobs.broke_off(store.read(), self.name)
                pause_s, is_first = self._step(store, is_asked=wanted > bell.looks_done), False
            except (NotFound, PrinterOffline):
                break
            except (PosError, DatabaseError, OSError) as problem:
                # What ended could not be written down: said on the next start of this loop as what it is, uncertain.
                LOG.warning("printer %s: %s", self.name, problem)
                pause_s, is_first = RETRY_S, True
                if not store.path.exists():
                    break
            except Exception:
                LOG.exception("printer %s failed unexpectedly", self.name)
                pause_s, is_first = RETRY_S, True
            with self.workers.changed:
                # Whoever wanted to know has what there is: the answer, or the silence of a printer that could not be asked.
                bell.looks_done = wanted
                self.workers.changed.notify_all()
            self._wait(bell, pause_s)
        self._stop_listening()
        with self.workers.changed:
            self.workers.bells.pop(self.name, None)
            self.workers.changed.notify_all()

    def _step(self, store: Store, *, is_asked: bool) -> float:
        """Print the next paper, or see how the printer is; return the seconds until there is something to do by itself."""
        printer = installed_printer(store.read(), self.name)
        if self.listens_to != printer.address:
            self._stop_listening()
        waiting = print_jobs.next_job(store.read(), self.name, now=clock.now())
        if waiting is not None:
            self._stop_listening()
            return 0.0 if self._print(store, printer, *waiting) else RETRY_S
        is_due = is_asked or time.monotonic() - self.looked_at >= LOOK_S
        if self.listening is not None:
            return self._listen(store, self.listening, is_due=is_due)
        if is_due:
            try:
                with Conversation(printer.address, self.workers.deadlines.status_s) as conversation:
                    self._look(store, conversation)
            except OSError:
                self._note(store, OFFLINE)
        return LOOK_S

    def _print(self, store: Store, printer: InstalledPrinter, job_id: int, data: bytes) -> bool:
        """Send one paper, if the printer can print; return whether anything was sent."""
        try:
            conversation = Conversation(printer.address, self.workers.deadlines.connect_s)
        except OSError:
            self._keep_waiting(store, OFFLINE)
            return False
        is_kept = False
        try:
            before = self._look(store, conversation)
            if before.must_wait():
                self._keep_waiting(store, before)
                return False
            torn = bytes(largest_strip(printer.paper)) if self.may_be_torn else b""
            outcome = self._send(store, conversation, job_id, torn + data)
            self.may_be_torn = outcome.reason in print_jobs.BROKEN_OFF
            self._settle(store, conversation)
            if outcome.state == "uncertain" and not conversation.is_closed:
                self.listening, self.listens_to, is_kept = conversation, printer.address, True
                self.listens_until = time.monotonic() + LISTENING_S
        finally:
            if not is_kept:
                # A USB printer lets in one program at a time: nothing may keep it open.
                conversation.close()
        return outcome.state != "failed"

    def _send(self, store: Store, conversation: Conversation, job_id: int, data: bytes) -> Outcome:
        process_id = printers.new_process_id()
        with store.write() as ops:
            if not print_jobs.begin(ops, job_id, self.name, process_id):
                return Outcome("confirmed", "taken")
        outcome = conversation.deliver(data, process_id, self.workers.deadlines)
        if outcome is None:
            with store.write() as ops:
                print_jobs.note_sent(ops, job_id)
            outcome = conversation.confirmation(process_id, self.workers.deadlines)
        with store.write() as ops:
            if outcome.state == "failed":
                print_jobs.put_back(ops, job_id, outcome.reason)
            else:
                print_jobs.end(ops, job_id, outcome, now=clock.now())
        self._tell()
        return outcome

    def _listen(self, store: Store, conversation: Conversation, *, is_due: bool) -> float:
        """Hear a little of what the printer says of papers of before; a new paper or a question interrupts at the next turn."""
        conversation.listen(0.2)
        if is_due:
            self._look(store, conversation)
        if self._settle(store, conversation) or conversation.is_closed or time.monotonic() > self.listens_until:
            self._stop_listening()
        return 0.0

    def _look(self, store: Store, conversation: Conversation) -> PrinterState:
        """Ask the printer how it is, and write that down with whatever it says of papers of before."""
        state = conversation.status(self.workers.deadlines.status_s)
        self._settle(store, conversation)
        self._note(store, state)
        return state

    def _settle(self, store: Store, conversation: Conversation) -> bool:
        late, conversation.late_ids = conversation.late_ids, []
        if not late:
            return False
        with store.write() as ops:
            settled = print_jobs.settle_late(ops, late, now=clock.now())
        self._tell()
        return settled

    def _keep_waiting(self, store: Store, state: PrinterState) -> None:
        with store.write() as ops:
            print_jobs.note_waits(ops, self.name, state.reasons[0])
        self._note(store, state)
        self._tell()

    def _note(self, store: Store, state: PrinterState) -> None:
        """Keep the printer's state where it changed: a quiet printer writes nothing."""
        self.looked_at = time.monotonic()
        if state == self.known and installed_printer(store.read(), self.name).state == state:
            return
        with store.write() as ops:
            note_state(ops, self.name, state, now=clock.now())
        self.known = state

    def _stop_listening(self) -> None:
        if self.listening is not None:
            self.listening.close()
            self.listening = None

    def _tell(self) -> None:
        with self.workers.changed:
            self.workers.changed.notify_all()

    def _wait(self, bell: _Bell, pause_s: float) -> None:
        """Wait for the bell, at most so long."""
        with self.workers.changed:
            self.workers.changed.wait_for(
                lambda: bell.rings > self.heard_rings or bell.looks_wanted > bell.looks_done or self.workers.is_stopping.is_set(),
                pause_s,
            )
            self.heard_rings = bell.rings
