"""One round of a kiosk with the marketplace: events up, catalogue down, and how it went, in a form that pages and HQ can show.

One process a directory does this at a time. A round that fails changes nothing but the record of its faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pos import clock, outbox
from pos.catalog import publication
from pos.corners import corner
from pos.db import DatabaseError, Store
from pos.ops import setting, store_setting
from pos.slips import load_device, next_counter
from sync.channels import sync_cursors
from sync.client import Client
from sync.errors import Rejected, SyncError
from sync.follower import Moved, Progress, follow
from sync.locks import LOCK_FILE, hold
from sync.uplink import Pushed, push

T = TypeVar("T")

REVOKED = "revoked"
NAMED_REFUSALS = frozenset({REVOKED, "stream_forked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """How a round went: what moved in each direction, or None where it failed, and every failure."""

    moved: Moved | None
    pushed: Pushed | None
    problems: tuple[SyncError, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """The codes of what failed; a refusal that a person must act upon goes by HQ's own word for it."""
        return tuple(dict.fromkeys(_fault(problem) for problem in self.problems))

    @property
    def retry_after_s(self) -> int | None:
        """The longest wait HQ asked for."""
        return max((wait for problem in self.problems if (wait := problem.data.get("retry_after_s"))), default=None)


def run_round(
    directory: Path,
    catalog: Store,
    ops: Store,
    client: Client,
    *,
    software: str,
    printer: dict[str, Any],
    now: Callable[[], datetime] = clock.now,
    progress: Progress | None = None,
) -> RoundReport:
    """Send what waits, fetch what is new, and report how we stand.

    Network and trust failures are in the report. Raises: Busy when another process syncs this directory, NotFound before
    enrolment, DatabaseError and DiskFull for the kiosk's own disk.
    """
    with hold(directory / LOCK_FILE):
        market = corner(ops.read()).market
        key = load_device(directory).private_key
        problems: list[SyncError] = []

        def send() -> Pushed | None:
            heartbeat = heartbeat_of(catalog, ops, software=software, printer=printer)
            return _tried(problems, lambda: push(ops, client, key=key, heartbeat=heartbeat, now=now()))

        waiting, _ = outbox.depth(ops.read(), acked=setting(ops.read(), "acked") or 0)
        # Slips wait for nothing; without any, one message after the fetch tells HQ what we hold now.
        pushed = send() if waiting else None
        moved = _tried(problems, lambda: follow(catalog, client, market, now=now(), progress=progress))
        if pushed is None or (moved is not None and moved.publication > moved.before):
            pushed = send() or pushed
        report = RoundReport(moved=moved, pushed=pushed, problems=tuple(problems))
        _record(ops, report, now=now())
        return report


def heartbeat_of(catalog: Store, ops: Store, *, software: str, printer: dict[str, Any]) -> dict[str, Any]:
    """Return what HQ is told about this kiosk with every message."""
    channels: dict[str, Any] = {}
    number = 0
    try:
        database = catalog.read()
        number = publication(database)
        for name, held in sync_cursors(database).items():
            channels[name] = {"epoch": held.epoch, "version": held.version, "root": held.root}
    except (FileNotFoundError, DatabaseError):
        # A missing or damaged catalogue is told as one that holds nothing.
        channels = {}
    return {
        "catalog": channels,
        "publication": number,
        "software": software,
        "printer": printer,
        "next_counter": next_counter(ops.read(), setting(ops.read(), "key_id") or ""),
        "corner_sha256": setting(ops.read(), "corner_sha256"),
        "faults": setting(ops.read(), "sync_faults") or {},
    }


def _fault(problem: SyncError) -> str:
    said = problem.data.get("code") if isinstance(problem, Rejected) else None
    return said if said in NAMED_REFUSALS else problem.code


def _tried(problems: list[SyncError], act: Callable[[], T]) -> T | None:
    try:
        return act()
    except SyncError as problem:
        problems.append(problem)
        return None


def _record(ops: Store, report: RoundReport, *, now: datetime) -> None:
    """Keep what failed and since when, and when the catalogue was last known to be HQ's newest.

    A key HQ has withdrawn stays withdrawn while HQ is silent: only an answer to this key, or a new enrolment, ends that.
    """
    known = setting(ops.read(), "sync_faults") or {}
    faults = {code: known.get(code, clock.to_text(now)) for code in report.faults}
    if REVOKED in known and report.pushed is None:
        faults[REVOKED] = known[REVOKED]
    with ops.write() as database:
        if faults != known:
            store_setting(database, "sync_faults", faults)
        if report.moved is not None and not report.moved.is_stale:
            store_setting(database, "checked_at", clock.to_text(now))
