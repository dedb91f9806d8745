"""One round of a kiosk with the marketplace: events up, catalogue down, and how it went, in a form that pages and HQ can show.

One process a directory does this at a time. A round that fails changes nothing but the record of its faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from sqlite_utils import Database

from pos import clock, outbox
from pos.corners import corner
from pos.db import Store
from pos.errors import NotFound
from pos.ops import setting, store_setting
from pos.slips import load_device
from pos.trusted_time import is_clock_wrong, trusted_now
from sync.corner.client import Client
from sync.corner.mirrors import is_shared, open_trust, share
from sync.corner.room import check_room
from sync.corner.trust import held_reply_key
from sync.corner.uplink import Pushed, push
from sync.errors import CornerUnreadable, MetadataExpired, Rejected, SyncError
from sync.faults import EVENT_SET_ASIDE, NEIGHBOUR_FAILED, REPLACED, REVOKED
from sync.follower import Moved, Progress, Subscription, follow
from sync.heartbeats import FAILED, TOLD, Heartbeat, heartbeat_of, is_told, state_of
from sync.locks import LOCK_FILE, UPLINK_FILE, hold, wait_for

T = TypeVar("T")

SET_ASIDE_SHOWN = timedelta(days=7)
"""How long a person is told of an event that HQ knows by its place alone; the record of it stays."""
NAMED_REFUSALS = frozenset({REVOKED, "stream_forked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """How a round went: what moved each way, or None where it failed, every failure, and whether a neighbour was left out."""

    moved: Moved | None
    pushed: Pushed | None
    problems: tuple[SyncError, ...]
    has_left_out: bool = False

    @property
    def faults(self) -> tuple[str, ...]:
        """The codes of what failed; a refusal that a person must act upon goes by HQ's own word for it."""
        codes = [_fault(problem) for problem in self.problems]
        return tuple(dict.fromkeys([*codes, *([NEIGHBOUR_FAILED] if self.has_left_out else [])]))

    @property
    def failed(self) -> dict[str, Any] | None:
        """The track and publication that could not be taken in, and why: HQ halts a trial by it."""
        for problem in self.problems:
            if "line" in problem.data:
                return {"line": problem.data["line"], "publication": problem.data["publication"], "code": problem.code}
        return None

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
    own_faults: Mapping[str, str] = MappingProxyType({}),
    is_brief: bool = False,
    now: Callable[[], datetime] = clock.now,
    progress: Progress | None = None,
) -> RoundReport:
    """Send what waits, fetch what is new, and report how we stand.

    A round that `is_brief` says nothing where there is nothing to say: no event waits, HQ knows our state, and heard it lately.
    Network and trust failures are in the report. Raises: Busy when another process syncs this directory, NotFound before
    enrolment, DatabaseError and DiskFull for the kiosk's own disk.
    """
    with hold(directory / LOCK_FILE):
        key = load_device(directory).private_key
        problems: list[SyncError] = []
        trust = open_trust(directory, ops, client, now=now)

        def describe() -> Heartbeat:
            return heartbeat_of(catalog, ops, software=software, printer=printer, own_faults=own_faults, now=now())

        def send() -> Pushed | None:
            heartbeat = describe()
            pushing = partial(push, ops, client, key=key, reply_key=trust.reply_key, heartbeat=heartbeat, now=now())
            with wait_for(directory / UPLINK_FILE):
                pushed = _tried(problems, pushing)
            if pushed is not None:
                _remember(ops, heartbeat, now=now())
            return pushed

        def bring() -> Moved:
            subscription = _subscription(ops.read())
            check_room(catalog)
            at = trusted_now(ops.read(), now())
            return follow(catalog, trust, subscription, now=at, progress=progress, keep_blobs=is_shared(ops))

        def fetch() -> Moved | None:
            return _tried(problems, bring)

        waiting, _ = outbox.depth(ops.read(), acked=setting(ops.read(), "acked") or 0)
        # Slips wait for nothing; without any, one message after the fetch tells HQ what we hold now.
        pushed = send() if waiting else None
        believed = trusted_now(ops.read(), now())
        moved = fetch()
        told = RoundReport(moved=moved, pushed=pushed, problems=tuple(problems), has_left_out=trust.has_left_out)
        _record(ops, told, now=now())
        if _has_run_out(problems) or not is_brief or not is_told(ops.read(), describe(), now=now()):
            pushed = _together(pushed, send())
        if _has_run_out(problems) and trusted_now(ops.read(), now()) < believed:
            # Our clock was ahead, and the signed reply has put it right: what seemed to have run out has not.
            problems[:] = [problem for problem in problems if not isinstance(problem, MetadataExpired)]
            moved = fetch()
        if moved is not None and is_shared(ops):
            share(directory)
        report = RoundReport(moved=moved, pushed=pushed, problems=tuple(problems), has_left_out=trust.has_left_out)
        if report != told:
            _record(ops, report, now=now())
        return report


def send_beside(
    directory: Path,
    catalog: Store,
    ops: Store,
    client: Client,
    *,
    software: str,
    printer: dict[str, Any],
    own_faults: Mapping[str, str],
    now: Callable[[], datetime] = clock.now,
) -> bool:
    """Send what waits, if anything does, beside a round that may take long to fetch; tell whether anything did.

    Raises: SyncError, NotFound, DatabaseError, DiskFull.
    """
    waiting, _ = outbox.depth(ops.read(), acked=setting(ops.read(), "acked") or 0)
    if not waiting:
        return False
    with wait_for(directory / UPLINK_FILE):
        key = load_device(directory).private_key
        heartbeat = heartbeat_of(catalog, ops, software=software, printer=printer, own_faults=own_faults, now=now())
        push(ops, client, key=key, reply_key=partial(held_reply_key, ops.read()), heartbeat=heartbeat, now=now())
    return True


def _together(earlier: Pushed | None, later: Pushed | None) -> Pushed | None:
    """Return what two messages of one round achieved: the later one's word, and the events of both."""
    if earlier is None or later is None:
        return later or earlier
    sent, is_new_corner = earlier.sent + later.sent, earlier.is_new_corner or later.is_new_corner
    return replace(later, sent=sent, is_new_corner=is_new_corner)


def _subscription(ops: Database) -> Subscription:
    """Return what this kiosk follows. Raises: NotFound before enrolment, CornerUnreadable."""
    try:
        return Subscription.of(corner(ops))
    except NotFound as problem:
        if setting(ops, "corner") is None:
            raise
        raise CornerUnreadable(problem.detail) from problem


def _remember(ops: Store, heartbeat: Heartbeat, *, now: datetime) -> None:
    with ops.write() as database:
        store_setting(database, TOLD, {"at": clock.to_text(now), "state": state_of(heartbeat)})


def _fault(problem: SyncError) -> str:
    """Return the fault's code: HQ's own word for a refusal that stops slips counts only under HQ's signature."""
    said = problem.data.get("code") if isinstance(problem, Rejected) and problem.data.get("is_signed") else None
    return said if said in NAMED_REFUSALS else problem.code


def _tried(problems: list[SyncError], act: Callable[[], T]) -> T | None:
    try:
        return act()
    except SyncError as problem:
        problems.append(problem)
        return None


def _has_run_out(problems: list[SyncError]) -> bool:
    return any(isinstance(problem, MetadataExpired) for problem in problems)


def _record(ops: Store, report: RoundReport, *, now: datetime) -> None:
    """Keep what failed and since when, and when the catalogue was last known to be HQ's newest.

    A key HQ has withdrawn or another has replaced stays so while HQ is silent: only an answer to this key, or a new enrolment,
    ends that.
    """
    known = setting(ops.read(), "sync_faults") or {}
    codes = [*report.faults, *(["clock_wrong"] if is_clock_wrong(ops.read()) else [])]
    recent = clock.to_text(now - SET_ASIDE_SHOWN)
    codes += [EVENT_SET_ASIDE] if any(said["at"] > recent for said in outbox.set_aside(ops.read()).values()) else []
    faults = {code: known.get(code, clock.to_text(now)) for code in codes}
    if report.pushed is None:
        faults |= {code: known[code] for code in (REVOKED, REPLACED) if code in known}
    elif report.pushed.replaced_at is not None:
        faults[REPLACED] = report.pushed.replaced_at
    failed = report.failed
    with ops.write() as database:
        if faults != known:
            store_setting(database, "sync_faults", faults)
        if failed != setting(database, FAILED):
            store_setting(database, FAILED, failed)
        if report.moved is not None and not report.moved.is_stale:
            store_setting(database, "checked_at", clock.to_text(now))
