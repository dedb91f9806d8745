"""The thread that keeps the kiosk in step with HQ while the screens go on reading local files.

It never ends: whatever a round meets is logged and kept as a fault for the counter and `status.json`, and the next round comes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import SystemRandom

from kiosk import files, prices
from kiosk.faults import Faults, own_faults
from kiosk.printing import print_jobs
from kiosk.releases import ROUND_BYTES, follow_release
from pos import clock, labels, shelf_labels
from pos.backups import back_up
from pos.corners import corner
from pos.db import DatabaseError, Store
from pos.errors import NotFound, PosError, Unavailable
from pos.ops import keep_reserve, setting
from pos.selections import wipe_idle_selections
from pos.told_days import tell_days
from shop.prices import catch_up
from sync.catalog_files import drop_damaged
from sync.corner import schedule
from sync.corner.client import Client
from sync.corner.media import BUDGET_BYTES, Fetched, MediaStore
from sync.corner.mirrors import open_trust
from sync.corner.rounds import KioskSide, RoundReport, run_round, send_beside
from sync.errors import Busy
from sync.follower import Progress
from sync.locks import BACKUP_FILE, LOCK_FILE, hold

LOG = logging.getLogger("kiosk.sync")
SELECTIONS_KEPT = timedelta(hours=2)
SLIPS_SHOWN = timedelta(minutes=15)
"""Longer than anybody reads a slip; the screen's own idle time ends most visits much earlier."""
NOT_ENROLLED_S = 5.0
CALLS_APART_S = 10.0
BESIDE_S, BESIDE_FAILED_S = 5.0, 60.0
"""How often slips are looked for that wait for a round, and how long nothing is sent so after a failure."""
DAYS_TOLD_S = 900.0
"""How often the days that ended are counted for HQ: the last of them, and what news changed of those before."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the rounds of one kiosk directory need."""

    directory: Path
    catalog: Store
    ops: Store
    media: MediaStore
    version: str
    is_fetching: threading.Event = field(default_factory=threading.Event)

    def run(
        self,
        client: Client,
        *,
        own_faults: Callable[[], Faults] = dict,
        is_brief: bool = False,
        progress: Progress | None = None,
    ) -> RoundReport:
        """Run one round now, as `run_round` does. Raises: Busy, NotFound, DatabaseError."""
        with self._fetching():
            report = run_round(self._side(client, own_faults), is_brief=is_brief, progress=progress)
        note_labels(self.catalog, self.ops)
        return report

    def send_beside(self, client: Client, own_faults: Callable[[], Faults]) -> bool:
        """Send what waits while we fetch, and tell whether anything did. Raises: SyncError, NotFound, DatabaseError."""
        if not self.is_fetching.is_set():
            return False
        return send_beside(self._side(client, own_faults))

    def fetch_media(self, client: Client) -> Fetched:
        """Fetch a little of what is wanted most; for after a round that went well. Raises: Busy, Offline, OSError."""
        with self._fetching(), hold(self.directory / LOCK_FILE):
            database = self.ops.read()
            table = [place["sku_id"] for place in corner(database).planogram]
            budget_bytes = setting(database, "media_budget_bytes")
            return self.media.fetch(
                client,
                self.catalog.read(),
                table=table,
                budget_bytes=BUDGET_BYTES if budget_bytes is None else budget_bytes,
                now=clock.now(),
            )

    def follow_release(self, client: Client, document: bytes, *, most_bytes: int = ROUND_BYTES) -> None:
        """Fetch some of the program's next version, for after a round. Raises: Busy, SyncError, OSError, DatabaseError."""
        with self._fetching(), hold(self.directory / LOCK_FILE):
            trust = open_trust(self.directory, self.ops, client, now=clock.now)
            follow_release(self.directory, self.ops, trust, document, version=self.version, most_bytes=most_bytes)

    def _side(self, client: Client, own_faults: Callable[[], Faults]) -> KioskSide:
        return KioskSide(
            directory=self.directory,
            catalog=self.catalog,
            ops=self.ops,
            client=client,
            software=self.version,
            printer=print_jobs.known_printer(self.ops.read()) or {"state": "none"},
            own_faults=own_faults,
            now=clock.now,
        )

    @contextmanager
    def _fetching(self) -> Iterator[None]:
        self.is_fetching.set()
        try:
            yield
        finally:
            self.is_fetching.clear()


def note_labels(catalog: Store, ops: Store) -> None:
    """Note which labels of the table prices have overtaken since the last round; without a catalogue, none.

    Raises: DatabaseError.
    """
    now = clock.now()
    try:
        turns = labels.turned(labels.label_places(catalog.read(), ops.read(), corner(ops.read()), now=now))
    except (FileNotFoundError, NotFound):
        return
    if turns:
        with ops.write() as database:
            shelf_labels.note_turned(database, turns, now=now)


def start_rounds(kiosk: files.Kiosk, *, call: threading.Event) -> None:
    """Start rounds in the background, the first at this corner's own moment; damaged records have nothing to send.

    A page that finds no readable catalogue sets `call`, and the next round comes at once.
    """
    if kiosk.ops is None:
        return
    rounds = Rounds(kiosk.directory, kiosk.catalog, kiosk.ops, kiosk.media, kiosk.version)
    threading.Thread(target=_go_round, args=(rounds, kiosk, call), name="sync", daemon=True).start()
    threading.Thread(target=_go_beside, args=(rounds, kiosk), name="uplink", daemon=True).start()


@dataclass(slots=True)
class _Pace:
    """What the rounds remember of each other."""

    failures: int = 0
    retry_after_s: int | None = None
    is_checked: bool = False
    days_told_at: float | None = None
    client: Client | None = None


def _go_round(rounds: Rounds, kiosk: files.Kiosk, call: threading.Event) -> None:
    chance = SystemRandom()
    pause = threading.Event()
    pace = _Pace()
    # A kiosk without a catalogue has nothing to show: it does not wait for its turn.
    is_called = call.wait(_first_delay_s(rounds))
    while kiosk.ops is not None:
        call.clear()
        pace.retry_after_s = None
        if not _try_round(rounds, kiosk, pace, is_called=is_called):
            pause.wait(NOT_ENROLLED_S)
            continue
        delay_s = schedule.next_delay_s(pace.failures, random=chance, retry_after_s=pace.retry_after_s)
        # A silent HQ is not hurried by calls, and a page that cannot be helped gets no more than a round each `CALLS_APART_S`.
        deaf_s = delay_s if pace.failures else min(delay_s, CALLS_APART_S if is_called else 0.0)
        pause.wait(deaf_s)
        is_called = call.wait(delay_s - deaf_s)


def _go_beside(rounds: Rounds, kiosk: files.Kiosk) -> None:
    """Send slips made while a round fetches: they wait for nobody's download."""
    pause = threading.Event()
    client: Client | None = None
    delay_s = BESIDE_S
    while kiosk.ops is not None:
        pause.wait(delay_s)
        delay_s = BESIDE_S
        try:
            url = setting(rounds.ops.read(), "marketplace_url")
            if url is None:
                continue
            if client is None or client.base_url != url:
                client = Client(url)
            rounds.send_beside(client, partial(_own_faults, kiosk))
        except (PosError, DatabaseError, OSError) as problem:
            # The round that is under way meets the same, and shows it.
            delay_s = max(BESIDE_FAILED_S, getattr(problem, "data", {}).get("retry_after_s") or 0)
            LOG.info("nothing was sent beside the round: %s", problem)
        except Exception:
            delay_s = BESIDE_FAILED_S
            LOG.exception("sending beside the round failed unexpectedly")


def _try_round(rounds: Rounds, kiosk: files.Kiosk, pace: _Pace, *, is_called: bool) -> bool:
    """Do one round, whatever it meets; return False while there is no marketplace to ask."""
    try:
        url = setting(rounds.ops.read(), "marketplace_url")
        if url is None:
            return False
        if is_called or not pace.is_checked:
            pace.is_checked = mend(rounds)
        if pace.client is None or pace.client.base_url != url:
            pace.client = Client(url)
        _run_round(rounds, kiosk, pace, pace.client)
    except Busy:
        LOG.info("another process syncs this directory")
    except (PosError, DatabaseError, OSError) as problem:
        pace.failures += 1
        LOG.warning("the round failed: %s", problem)
        kiosk.faults.setdefault("sync_failed", clock.to_text(clock.now()))
    except Exception:
        # A bug in one round must not end all rounds: it is logged whole and shown as a fault.
        pace.failures += 1
        LOG.exception("the round failed unexpectedly")
        kiosk.faults.setdefault("sync_failed", clock.to_text(clock.now()))
    return True


def _run_round(rounds: Rounds, kiosk: files.Kiosk, pace: _Pace, client: Client) -> None:
    report = rounds.run(client, own_faults=partial(_own_faults, kiosk), is_brief=True)
    if report.pushed is not None and setting(rounds.ops.read(), "hq_offset_s") is not None:
        # HQ was just heard: prices that a clock far ahead of it had started are taken back.
        catch_up(rounds.catalog, prices.trusted_now(rounds.ops), is_verified=True)
        _tell_days(rounds, pace)
    kiosk.price_news.set()
    pace.failures = pace.failures + 1 if report.problems else 0
    pace.retry_after_s = report.retry_after_s
    kiosk.faults.pop("sync_failed", None)
    if clean_up(rounds.ops):
        kiosk.faults.pop("backup_failed", None)
    else:
        kiosk.faults.setdefault("backup_failed", clock.to_text(clock.now()))
    if keep_reserve(rounds.directory):
        kiosk.faults.pop("disk_full", None)
    if not report.problems:
        _fetch_media(rounds, kiosk, client)
    if not report.problems and report.release is not None:
        _follow_release(rounds, client, report.release)


def _own_faults(kiosk: files.Kiosk) -> Faults:
    return own_faults(kiosk, now=clock.now())


def _tell_days(rounds: Rounds, pace: _Pace) -> None:
    """Record for the next round what HQ is to hear of the days that ended, every quarter of an hour.

    Only when HQ has just told the time: by a clock that runs ahead, days would have ended that have not begun.
    """
    if pace.days_told_at is not None and time.monotonic() - pace.days_told_at < DAYS_TOLD_S:
        return
    pace.days_told_at = time.monotonic()
    try:
        tell_days(rounds.ops, corner(rounds.ops.read()), now=prices.trusted_now(rounds.ops))
    except (PosError, DatabaseError, OSError) as problem:
        LOG.warning("HQ was not told of the days that ended: %s", problem)


def mend(rounds: Rounds) -> bool:
    """Set a damaged catalogue aside, so that this round builds a new one, and say that the file was checked."""
    with hold(rounds.directory / LOCK_FILE):
        if drop_damaged(rounds.catalog):
            LOG.warning("catalog.db is damaged: set aside, a new one is fetched")
    return True


def _fetch_media(rounds: Rounds, kiosk: files.Kiosk, client: Client) -> None:
    """Fetch media, and say it when the disk has no room for them; whatever fails here never counts against the round."""
    try:
        is_paused = rounds.fetch_media(client).is_paused
    except PosError as problem:
        LOG.info("media wait for the next round: %s", problem)
        return
    except OSError as problem:
        LOG.warning("media were not written: %s", problem)
        is_paused = True
    if is_paused:
        kiosk.faults.setdefault("media_paused", clock.to_text(clock.now()))
    else:
        kiosk.faults.pop("media_paused", None)


def _follow_release(rounds: Rounds, client: Client, document: bytes) -> None:
    """Fetch some of the program's next version; whatever fails here never counts against the round."""
    try:
        rounds.follow_release(client, document)
    except (PosError, DatabaseError, OSError) as problem:
        LOG.info("the next version waits for the next round: %s", problem)


def _first_delay_s(rounds: Rounds) -> float:
    try:
        own_corner = corner(rounds.ops.read())
        rounds.catalog.read().execute("select 1 from shelf limit 1").fetchone()
    except (PosError, DatabaseError, OSError):
        return 0.0
    return schedule.first_delay_s(own_corner.corner_id)


def clean_up(ops: Store) -> bool:
    """Delete idle selections; back up ops.db once a day, and return whether today's copy is there."""
    with ops.write() as database:
        now = clock.now()
        print_jobs.forget_bytes(database, now=now)
        wipe_idle_selections(
            database.execute, before=now - SELECTIONS_KEPT, issued_before=now - SLIPS_SHOWN, ahead_of=now + SELECTIONS_KEPT
        )
    try:
        with hold(ops.path.parent / BACKUP_FILE):
            back_up(ops.path, period="day", now=clock.now())
    except Busy:
        # Today's copy is being made by the command: two that write one file would spoil it.
        return True
    except (DatabaseError, Unavailable, OSError) as problem:
        # No copy today is no reason to sync less often.
        LOG.warning("the records were not copied: %s", problem)
        return False
    return True
