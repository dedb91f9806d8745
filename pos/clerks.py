"""Clerks at the counter: a PIN opens a session that locks when idle; wrong PINs make their clerk wait, and many the kiosk.

Waits go by steady time (`pos.trusted_time`): neither a restart nor a changed clock opens the counter early or closes it for ever.
A session token is kept only as its hash, so a copied ops.db opens no counter.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database

from pos import clock, journal
from pos.clock import Uptime
from pos.corners import Corner
from pos.db import Store
from pos.errors import WrongPin
from pos.pins import ChosenPin, has_pin, is_code, is_pin, keep_pin
from pos.team import TeamMember, active_member
from pos.throttle import Throttle, whole_seconds
from pos.trusted_time import keep_steady, steady_now

PINS = Throttle(
    table="pin_failure", key="clerk_id", free_tries=5, first_wait=timedelta(minutes=1), longest_wait=timedelta(hours=1)
)
KIOSK = Throttle(
    table="pin_failure", key="clerk_id", free_tries=20, first_wait=timedelta(seconds=30), longest_wait=timedelta(minutes=5)
)
KIOSK_ROW = ""
"""The kiosk's own row of `pin_failure`: no clerk has an empty id."""
IDLE = timedelta(minutes=2)
LONGEST_SESSION = timedelta(hours=12)
LONG_AGO = "1900-01-01T00:00:00Z"
"""When a session was seen that its clerk locked: before any time a clock may be set to."""


class CounterSession(NamedTuple):
    """Who is at the counter, and whether the session waits for their PIN, or another's, to go on."""

    clerk: TeamMember
    is_locked: bool


def log_in(store: Store, corner: Corner, clerk_id: str, pin: str, *, directory: Path, now: datetime, uptime: Uptime) -> str:
    """Return a new session token for the clerk. Raises: WrongPin."""
    check_pin(store, corner, clerk_id, pin, directory=directory, now=now, uptime=uptime)
    with store.write() as ops:
        return start_session(ops, clerk_id, now=now)


def check_pin(
    store: Store, corner: Corner, clerk_id: str, pin: str, *, directory: Path, now: datetime, uptime: Uptime
) -> TeamMember:
    """Return whose PIN this is; `directory` holds the device's key.

    Raises: WrongPin; after some failures `wait_s` tells how long every further try is refused, doubling each time.
    """
    return _check(is_pin, store, corner, clerk_id, pin, directory=directory, now=now, uptime=uptime)


def check_code(
    store: Store, corner: Corner, clerk_id: str, code: str, *, directory: Path, now: datetime, uptime: Uptime
) -> TeamMember:
    """Return whose one-time code this is; it counts as a try like a PIN. Raises: WrongPin."""
    return _check(is_code, store, corner, clerk_id, code, directory=directory, now=now, uptime=uptime)


def choose_pin(ops: Database, chosen: ChosenPin, *, now: datetime) -> None:
    """Give a clerk the PIN they chose, and end their sessions under the one before; runs inside the caller's `write`."""
    keep_pin(ops, chosen, now=now)
    ops.execute("delete from clerk_session where clerk_id = ?", [chosen.clerk_id])
    journal.note(ops, chosen.clerk_id, "pin_chosen", now=now)


def start_session(ops: Database, clerk_id: str, *, now: datetime) -> str:
    """Return the token of a new session of somebody whose PIN was checked; runs inside the caller's `write`."""
    ops.execute("delete from clerk_session where started_at < ?", [clock.to_text(now - LONGEST_SESSION)])
    journal.note(ops, clerk_id, "logged_in", now=now)
    return _begin(ops, clerk_id, now=now)


def session_of(ops: Database, corner: Corner, token: str, *, now: datetime) -> CounterSession | None:
    """Return the session, or None: unknown, older than twelve hours, its clerk suspended or reset. Two quiet minutes lock it."""
    session = ops.execute(
        "select clerk_id, started_at, seen_at from clerk_session where token_sha256 = ?", [_digest(token)]
    ).fetchone()
    if session is None:
        return None
    clerk_id, started_at, seen_at = session
    member = active_member(ops, corner, clerk_id)
    # A clock set back makes times lie ahead: by more than the limit they count as too old.
    if abs(now - clock.from_text(started_at)) > LONGEST_SESSION or member is None or not has_pin(ops, member):
        return None
    return CounterSession(member, is_locked=abs(now - clock.from_text(seen_at)) > IDLE)


def lock(ops: Database, token: str) -> None:
    """Lock the session, as if nobody had been there for long; runs inside the caller's `write`."""
    ops.execute("update clerk_session set seen_at = ? where token_sha256 = ?", [LONG_AGO, _digest(token)])


def take_over(ops: Database, token: str, clerk_id: str, *, now: datetime, act: str = "took_over") -> str:
    """End a session and begin one in its place, for the same clerk or another whose PIN was checked; return its token.

    That another goes on is noted as their `act`. Runs inside the caller's `write`.
    """
    query = "delete from clerk_session where token_sha256 = ? returning clerk_id"
    for (before,) in ops.execute(query, [_digest(token)]).fetchall():
        if before != clerk_id:
            journal.note(ops, clerk_id, act, before, now=now)
    return _begin(ops, clerk_id, now=now)


def keep_session(ops: Database, token: str, *, now: datetime) -> None:
    """Note that the clerk is still there; runs inside the caller's `write`. What was under way as they locked opens nothing."""
    change = "update clerk_session set seen_at = ? where token_sha256 = ? and seen_at <> ?"
    ops.execute(change, [clock.to_text(now), _digest(token), LONG_AGO])


def log_out(ops: Database, token: str, *, now: datetime) -> None:
    """End the session, if there is one; runs inside the caller's `write`."""
    query = "delete from clerk_session where token_sha256 = ? returning clerk_id"
    for (clerk_id,) in ops.execute(query, [_digest(token)]).fetchall():
        journal.note(ops, clerk_id, "logged_out", now=now)


def waits(ops: Database, *, now: datetime, uptime: Uptime) -> dict[str, int]:
    """Return how many seconds each clerk still waits who guessed too often."""
    at = steady_now(ops, wall=now, uptime=uptime)
    names = [name for (name,) in ops.execute("select clerk_id from pin_failure where clerk_id <> ?", [KIOSK_ROW]).fetchall()]
    seconds = {name: whole_seconds(PINS.wait(ops.execute, name, now=at)) for name in names}
    return {name: wait_s for name, wait_s in seconds.items() if wait_s}


def forgive(ops: Database, clerk_id: str) -> None:
    """Forget a clerk's failures, and take them off the kiosk's: the tries at others still count there.

    Runs inside the caller's `write`.
    """
    (own,) = ops.execute("select coalesce(max(failures), 0) from pin_failure where clerk_id = ?", [clerk_id]).fetchone()
    ops.execute("update pin_failure set failures = max(0, failures - ?) where clerk_id = ?", [own, KIOSK_ROW])
    ops.execute("delete from pin_failure where failures = 0")
    PINS.forgive(ops.execute, clerk_id)


def _check(
    is_right: Callable[[Database, TeamMember, str, Path], bool],
    store: Store,
    corner: Corner,
    clerk_id: str,
    secret: str,
    *,
    directory: Path,
    now: datetime,
    uptime: Uptime,
) -> TeamMember:
    member = _claim(store, corner, clerk_id, now=now, uptime=uptime)
    if not is_right(store.read(), member, secret, directory):
        at = steady_now(store.read(), wall=now, uptime=uptime)
        waits = (throttle.wait(store.read().execute, name, now=at) for name, throttle in _counted(clerk_id).items())
        raise WrongPin(wait_s=whole_seconds(max(waits)))
    with store.write() as ops:
        forgive(ops, clerk_id)
    return member


def _claim(store: Store, corner: Corner, clerk_id: str, *, now: datetime, uptime: Uptime) -> TeamMember:
    """Count a try as failed, for the clerk and for the kiosk, before anything is compared. Raises: WrongPin."""
    member = active_member(store.read(), corner, clerk_id)
    with store.write() as ops:
        at = steady_now(ops, wall=now, uptime=uptime)
        names = _counted(clerk_id) if member else {KIOSK_ROW: KIOSK}
        wait = max(throttle.wait(ops.execute, name, now=at) for name, throttle in names.items())
        if not wait:
            for name, throttle in names.items():
                throttle.claim(ops.execute, name, now=at)
            keep_steady(ops, at, uptime=uptime)
    if wait or member is None:
        raise WrongPin(wait_s=whole_seconds(wait))
    return member


def _counted(clerk_id: str) -> dict[str, Throttle]:
    """Return what counts a try at a clerk's secret, by the row of `pin_failure`."""
    return {KIOSK_ROW: KIOSK, clerk_id: PINS}


def _begin(ops: Database, clerk_id: str, *, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    at = clock.to_text(now)
    row = {"token_sha256": _digest(token), "clerk_id": clerk_id, "started_at": at, "seen_at": at}
    ops.table("clerk_session").insert(row)
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
