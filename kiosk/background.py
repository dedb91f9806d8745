"""The thread that keeps the kiosk in step with HQ while the screens go on reading local files.

It never ends: whatever a round meets is logged and kept as a fault for the counter and `status.json`, and the next round comes.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from typing import Any

from kiosk import print_jobs, web
from pos import clock
from pos.corners import corner
from pos.db import DatabaseError, Store
from pos.errors import PosError
from pos.ops import back_up, setting
from pos.selections import wipe_idle_selections
from sync import schedule
from sync.client import Client
from sync.errors import Busy
from sync.follower import drop_damaged
from sync.locks import LOCK_FILE, hold
from sync.rounds import RoundReport, run_round

LOG = logging.getLogger("kiosk.sync")
SELECTIONS_KEPT = timedelta(hours=2)
NOT_ENROLLED_S = 5.0
CALLS_APART_S = 10.0


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the rounds of one kiosk directory need."""

    directory: Path
    catalog: Store
    ops: Store
    version: str

    def run(self, client: Client, **options: Any) -> RoundReport:
        """Run one round now. Raises: Busy, NotFound, DatabaseError."""
        printer = print_jobs.known_printer(self.ops.read()) or {"state": "none"}
        return run_round(self.directory, self.catalog, self.ops, client, software=self.version, printer=printer, **options)


def start_rounds(kiosk: web.Kiosk, *, call: threading.Event) -> None:
    """Start rounds in the background, the first at this corner's own moment; damaged records have nothing to send.

    A page that finds no readable catalogue sets `call`, and the next round comes at once.
    """
    if kiosk.ops is None:
        return
    rounds = Rounds(kiosk.directory, kiosk.catalog, kiosk.ops, kiosk.version)
    threading.Thread(target=_go_round, args=(rounds, kiosk, call), name="sync", daemon=True).start()


def _go_round(rounds: Rounds, kiosk: web.Kiosk, call: threading.Event) -> None:
    chance = SystemRandom()
    pause = threading.Event()
    failures = 0
    clients: dict[str, Client] = {}
    # A kiosk without a catalogue has nothing to show: it does not wait for its turn.
    is_called = call.wait(_first_delay_s(rounds))
    is_checked = False
    while kiosk.ops is not None:
        wait = None
        call.clear()
        try:
            url = setting(rounds.ops.read(), "marketplace_url")
            if url is None:
                pause.wait(NOT_ENROLLED_S)
                continue
            if is_called or not is_checked:
                is_checked = mend(rounds)
            if url not in clients:
                clients = {url: Client(url)}
            report = rounds.run(clients[url])
            failures, wait = (failures + 1 if report.problems else 0), report.retry_after_s
            kiosk.faults.pop("sync_failed", None)
            tend(rounds.ops)
        except Busy:
            LOG.info("another process syncs this directory")
        except (PosError, DatabaseError, OSError) as problem:
            failures += 1
            LOG.warning("the round failed: %s", problem)
            kiosk.faults.setdefault("sync_failed", clock.to_text(clock.now()))
        except Exception:
            # A bug in one round must not end all rounds: it is logged whole and shown as a fault.
            failures += 1
            LOG.exception("the round failed unexpectedly")
            kiosk.faults.setdefault("sync_failed", clock.to_text(clock.now()))
        delay_s = schedule.next_delay_s(failures, random=chance, retry_after_s=wait)
        # A silent HQ is not hurried by calls, and a page that cannot be helped gets no more than a round each `CALLS_APART_S`.
        deaf_s = delay_s if failures else min(delay_s, CALLS_APART_S if is_called else 0.0)
        pause.wait(deaf_s)
        is_called = call.wait(delay_s - deaf_s)


def mend(rounds: Rounds) -> bool:
    """Set a damaged catalogue aside, so that this round builds a new one, and say that the file was checked."""
    with hold(rounds.directory / LOCK_FILE):
        if drop_damaged(rounds.catalog):
            LOG.warning("catalog.db is damaged: set aside, a new one is fetched")
    return True


def _first_delay_s(rounds: Rounds) -> float:
    try:
        here = corner(rounds.ops.read())
        rounds.catalog.read().execute("select 1 from shelf limit 1").fetchone()
    except (PosError, DatabaseError, OSError):
        return 0.0
    return schedule.first_delay_s(here.corner_id)


def tend(ops: Store) -> None:
    """Forget selections left behind by screens that never said goodbye, and copy the records once a day."""
    with ops.write() as database:
        wipe_idle_selections(database, before=clock.now() - SELECTIONS_KEPT)
    try:
        back_up(ops.path, day=clock.to_text(clock.now())[:10])
    except (DatabaseError, OSError) as problem:
        # No copy today is no reason to sync less often.
        LOG.warning("the records were not copied: %s", problem)
