"""One round of a kiosk with the marketplace: events up, catalogue down, and how it went, in a form that pages and HQ can show.

One process a directory does this at a time. A round that fails changes nothing but the record of its faults.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
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
from sync.corner.trust import Trust, held_reply_key
from sync.corner.uplink import Pushed, push
from sync.errors import CornerUnreadable, MetadataExpired, Rejected, SyncError
from sync.faults import EVENT_SET_ASIDE, NEIGHBOUR_FAILED, REPLACED, REVOKED
from sync.follower import Moved, Progress, Subscription, follow
from sync.heartbeats import FAILED, TOLD, Heartbeat, ToldFailure, heartbeat_of, is_told, state_of
from sync.locks import LOCK_FILE, UPLINK_FILE, hold, wait_for
from sync.releases import release_name, write_release

LOG = logging.getLogger("comptoir.rounds")
SET_ASIDE_SHOWN = timedelta(days=7)
"""How long a person is told of an event that HQ knows by its place alone; the record of it stays."""
NAMED_REFUSALS = frozenset({REVOKED, "stream_forked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """How a round went: what moved each way, or None where it failed, every failure, and whether a neighbour was left out.

    `release` is the document by which HQ announces the program's version to this kiosk's ring, or none (`sync.releases`); None
    where it was not learnt this time.
    """

    moved: Moved | None
    pushed: Pushed | None
    problems: tuple[SyncError, ...]
    has_left_out: bool = False
    release: bytes | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """The codes of what failed; for a refusal that a person must act upon, HQ's error code."""
        codes = [_fault(problem) for problem in self.problems]
        return tuple(dict.fromkeys([*codes, *([NEIGHBOUR_FAILED] if self.has_left_out else [])]))

    @property
    def failed(self) -> ToldFailure | None:
        """The track and publication that could not be taken in, and why: HQ halts a trial by it."""
        for problem in self.problems:
            if "line" in problem.data:
                return {"line": problem.data["line"], "publication": problem.data["publication"], "code": problem.code}
        return None

    @property
    def retry_after_s(self) -> int | None:
        """The longest wait HQ asked for."""
        return max((wait for problem in self.problems if (wait := problem.data.get("retry_after_s"))), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskSide:
    """What a kiosk brings to an exchange with HQ: its files, its client, and what it tells of itself.

    `own_faults` returns those of the running app as they are now, by code, and since when; `printer` is as
    `sync.heartbeats.ToldPrinter`.
    """

    directory: Path
    catalog: Store
    ops: Store
    client: Client
    software: str
    printer: Mapping[str, object]
    own_faults: Callable[[], Mapping[str, str | None]] = dict
    now: Callable[[], datetime]


@dataclass(slots=True, kw_only=True)
class Round:
    """One round under way: with what it works, and what became of it so far."""

    side: KioskSide
    key: Ed25519PrivateKey
    trust: Trust
    progress: Progress | None
    moved: Moved | None = None
    pushed: Pushed | None = None
    problems: list[SyncError] = field(default_factory=list)
    release: bytes | None = None

    @property
    def has_run_out(self) -> bool:
        """Whether HQ's metadata seemed to have expired."""
        return any(isinstance(problem, MetadataExpired) for problem in self.problems)

    def report(self) -> RoundReport:
        """Return how the round went so far."""
        return RoundReport(
            moved=self.moved,
            pushed=self.pushed,
            problems=tuple(self.problems),
            has_left_out=self.trust.has_left_out,
            release=self.release,
        )


def run_round(side: KioskSide, *, is_brief: bool = False, progress: Progress | None = None) -> RoundReport:
    """Send what waits, fetch what is new, and report how we stand.

    A round that `is_brief` says nothing where there is nothing to say: no event waits, HQ knows our state, and heard it lately.
    Network and trust failures are in the report. Raises: Busy when another process syncs this directory, NotFound before
    enrolment, DatabaseError and DiskFull for the kiosk's own disk.
    """
    with hold(side.directory / LOCK_FILE):
        this = _begin(side, progress)
        if _waiting(side.ops):
            # Slips wait for nothing; without any, one message after the fetch tells HQ what we hold now.
            _send(this)
        believed = trusted_now(side.ops.read(), side.now())
        _fetch(this)
        told = this.report()
        _record(side.ops, told, now=side.now())
        if this.has_run_out or not is_brief or not is_told(side.ops.read(), _heartbeat(side), now=side.now()):
            _send(this)
        if this.has_run_out and trusted_now(side.ops.read(), side.now()) < believed:
            _fetch_again(this)
        if this.moved is not None and is_shared(side.ops):
            share(side.directory)
        report = this.report()
        if report != told:
            _record(side.ops, report, now=side.now())
        return report


def send_beside(side: KioskSide) -> bool:
    """Send what waits, if anything does, beside a round that may take long to fetch; tell whether anything did.

    Raises: SyncError, NotFound, DatabaseError, DiskFull.
    """
    if not _waiting(side.ops):
        return False
    with wait_for(side.directory / UPLINK_FILE):
        key = load_device(side.directory).private_key
        reply_key = partial(held_reply_key, side.ops.read())
        push(side.ops, side.client, key=key, reply_key=reply_key, heartbeat=_heartbeat(side), now=side.now())
    return True


def _begin(side: KioskSide, progress: Progress | None) -> Round:
    key = load_device(side.directory).private_key
    trust = open_trust(side.directory, side.ops, side.client, now=side.now)
    return Round(side=side, key=key, trust=trust, progress=progress)


def _waiting(ops: Store) -> int:
    """Return how many events HQ has not acknowledged."""
    pending, _ = outbox.depth(ops.read(), acked=setting(ops.read(), "acked") or 0)
    return pending


def _heartbeat(side: KioskSide) -> Heartbeat:
    return heartbeat_of(
        side.catalog, side.ops, software=side.software, printer=side.printer, own_faults=side.own_faults(), now=side.now()
    )


def _send(this: Round) -> None:
    """Send events and heartbeat; a failure is noted, and the next round sends again."""
    side, heartbeat = this.side, _heartbeat(this.side)
    try:
        with wait_for(side.directory / UPLINK_FILE):
            pushed = push(
                side.ops, side.client, key=this.key, reply_key=this.trust.reply_key, heartbeat=heartbeat, now=side.now()
            )
    except SyncError as problem:
        this.problems.append(problem)
        return
    this.pushed = _together(this.pushed, pushed)
    with side.ops.write() as database:
        store_setting(database, TOLD, {"at": clock.to_text(side.now()), "state": state_of(heartbeat)})


def _fetch(this: Round) -> None:
    """Bring the catalogue to HQ's head; a failure is noted, and the catalogue stays where it was."""
    side, this.moved = this.side, None
    try:
        subscription = _subscription(side.ops.read())
        check_room(side.catalog)
        at = trusted_now(side.ops.read(), side.now())
        keep_blobs = is_shared(side.ops)
        this.moved = follow(side.catalog, this.trust, subscription, now=at, progress=this.progress, keep_blobs=keep_blobs)
        this.release = _announced_release(this.trust, subscription.ring)
    except SyncError as problem:
        this.problems.append(problem)


def _announced_release(trust: Trust, ring: str) -> bytes | None:
    """Return the document that announces the ring's release; where it is out of reach the catalogue goes on without it."""
    try:
        return trust.seen_target(release_name(ring)) or write_release(None)
    except SyncError as problem:
        LOG.info("the release of %s waits for the next round: %s", ring, problem)
        return None


def _fetch_again(this: Round) -> None:
    """Fetch once more: our clock was ahead, the signed reply has put it right, and what seemed to have run out has not."""
    this.problems = [problem for problem in this.problems if not isinstance(problem, MetadataExpired)]
    _fetch(this)


def _together(earlier: Pushed | None, later: Pushed) -> Pushed:
    """Return what two messages of one round achieved: the later one's word, and the events of both."""
    if earlier is None:
        return later
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


def _fault(problem: SyncError) -> str:
    """Return the fault's code; HQ's error code for a refusal that stops slips counts only under HQ's signature."""
    code = problem.data.get("code") if isinstance(problem, Rejected) and problem.data.get("is_signed") else None
    return code if code in NAMED_REFUSALS else problem.code


def _record(ops: Store, report: RoundReport, *, now: datetime) -> None:
    """Keep what failed and since when, and when the catalogue was last known to be HQ's newest.

    A key HQ has withdrawn or another has replaced stays so while HQ is silent: only an answer to this key, or a new enrolment,
    ends that.
    """
    known = setting(ops.read(), "sync_faults") or {}
    codes = [*report.faults, *(["clock_wrong"] if is_clock_wrong(ops.read()) else [])]
    recent = clock.to_text(now - SET_ASIDE_SHOWN)
    codes += [EVENT_SET_ASIDE] if any(event["at"] > recent for event in outbox.set_aside(ops.read()).values()) else []
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
