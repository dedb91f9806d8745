"""Clerks at the counter: a PIN opens a session that ends when idle; wrong PINs make their clerk wait.

PIN hashes come with the corner document. A session token is kept only as its hash, so a copied ops.db opens no counter.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlite_utils import Database

from pos import clock, journal
from pos.corners import Corner
from pos.db import Store
from pos.errors import WrongPin
from pos.team import TeamMember, active_member
from pos.throttle import Throttle, whole_seconds

PINS = Throttle(
    table="pin_failure", key="clerk_id", free_tries=5, first_wait=timedelta(minutes=1), longest_wait=timedelta(hours=1)
)
IDLE = timedelta(minutes=2)
LONGEST_SESSION = timedelta(hours=12)


def log_in(store: Store, corner: Corner, clerk_id: str, pin: str, *, now: datetime) -> str:
    """Return a new session token for the clerk.

    Raises: WrongPin; after five failures `wait_s` tells how long every further try is refused, doubling each time.
    """
    clerk = active_member(store.read(), corner, clerk_id)
    if clerk is None:
        raise WrongPin(wait_s=0)
    with store.write() as ops:
        wait = PINS.claim(ops.execute, clerk_id, now=now)
    if wait:
        raise WrongPin(wait_s=whole_seconds(wait))
    if not _matches(clerk["pin_hash"], pin):
        raise WrongPin(wait_s=whole_seconds(PINS.wait(store.read().execute, clerk_id, now=now)))
    token = secrets.token_urlsafe(32)
    with store.write() as ops:
        PINS.forgive(ops.execute, clerk_id)
        ops.execute("delete from clerk_session where started_at < ?", [clock.to_text(now - LONGEST_SESSION)])
        started = clock.to_text(now)
        row = {"token_sha256": _digest(token), "clerk_id": clerk_id, "started_at": started, "seen_at": started}
        ops.table("clerk_session").insert(row)
        journal.note(ops, clerk_id, "logged_in", now=now)
    return token


def clerk_of_session(ops: Database, corner: Corner, token: str, *, now: datetime) -> TeamMember | None:
    """Return the clerk whose session this is, or None when it is unknown, idle for two minutes or older than twelve hours."""
    session = ops.execute(
        "select clerk_id, started_at, seen_at from clerk_session where token_sha256 = ?", [_digest(token)]
    ).fetchone()
    if session is None:
        return None
    clerk_id, started_at, seen_at = session
    # A clock set back makes times lie ahead: by more than the limit they count as too old.
    if abs(now - clock.from_text(seen_at)) > IDLE or abs(now - clock.from_text(started_at)) > LONGEST_SESSION:
        return None
    return active_member(ops, corner, clerk_id)


def keep_session(ops: Database, token: str, *, now: datetime) -> None:
    """Note that the clerk is still there; runs inside the caller's `write`."""
    ops.execute("update clerk_session set seen_at = ? where token_sha256 = ?", [clock.to_text(now), _digest(token)])


def log_out(ops: Database, token: str, *, now: datetime) -> None:
    """End the session, if there is one; runs inside the caller's `write`."""
    query = "delete from clerk_session where token_sha256 = ? returning clerk_id"
    for (clerk_id,) in ops.execute(query, [_digest(token)]).fetchall():
        journal.note(ops, clerk_id, "logged_out", now=now)


def _matches(pin_hash: str, pin: str) -> bool:
    try:
        return PasswordHasher().verify(pin_hash, pin)
    except (VerificationError, InvalidHashError):
        return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
