"""Clerks at the counter: a PIN opens a session that ends when idle; wrong PINs make their clerk wait.

PIN hashes come with the corner document. A session token is kept only as its hash, so a copied ops.db opens no counter.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlite_utils import Database

from pos import clock
from pos.corners import Corner
from pos.db import Store
from pos.errors import WrongPin

TRIES = 5
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
IDLE = timedelta(minutes=2)
LONGEST_SESSION = timedelta(hours=12)


def log_in(store: Store, corner: Corner, clerk_id: str, pin: str, *, now: datetime) -> str:
    """Return a new session token for the clerk.

    Raises: WrongPin; after five failures `wait_s` tells how long every further try is refused, doubling each time.
    """
    clerk = next((each for each in corner.clerks if each["clerk_id"] == clerk_id), None)
    wait = _wait(store.read(), clerk_id, now)
    if wait > timedelta():
        raise WrongPin(wait_s=int(wait.total_seconds()))
    if clerk is None:
        raise WrongPin(wait_s=0)
    # The try is counted before it is judged, so that many at once get no further than many in turn.
    with store.write() as ops:
        _count_failure(ops, clerk_id, now)
    if not _matches(clerk["pin_hash"], pin):
        raise WrongPin(wait_s=int(_wait(store.read(), clerk_id, now).total_seconds()))
    token = secrets.token_urlsafe(32)
    with store.write() as ops:
        ops.execute("delete from pin_failure where clerk_id = ?", [clerk_id])
        ops.execute("delete from clerk_session where started_at < ?", [clock.to_text(now - LONGEST_SESSION)])
        started = clock.to_text(now)
        row = {"token_sha256": _digest(token), "clerk_id": clerk_id, "started_at": started, "seen_at": started}
        ops.table("clerk_session").insert(row)
    return token


def clerk_of_session(ops: Database, corner: Corner, token: str, *, now: datetime) -> dict[str, Any] | None:
    """Return the clerk whose session this is, or None when it is unknown, idle for two minutes or older than twelve hours."""
    row = ops.execute(
        "select clerk_id, started_at, seen_at from clerk_session where token_sha256 = ?", [_digest(token)]
    ).fetchone()
    # A clock set back makes times lie ahead: by more than the limit they count as too old.
    if row is None or abs(now - clock.from_text(row[2])) > IDLE or abs(now - clock.from_text(row[1])) > LONGEST_SESSION:
        return None
    return next((each for each in corner.clerks if each["clerk_id"] == row[0]), None)


def keep_session(ops: Database, token: str, *, now: datetime) -> None:
    """Note that the clerk is still there; runs inside the caller's `write`."""
    ops.execute("update clerk_session set seen_at = ? where token_sha256 = ?", [clock.to_text(now), _digest(token)])


def log_out(ops: Database, token: str) -> None:
    """End the session; runs inside the caller's `write`."""
    ops.execute("delete from clerk_session where token_sha256 = ?", [_digest(token)])


def _wait(ops: Database, clerk_id: str, now: datetime) -> timedelta:
    row = ops.execute("select failures, last_at from pin_failure where clerk_id = ?", [clerk_id]).fetchone()
    if row is None or row[0] < TRIES:
        return timedelta()
    wait = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(row[0] - TRIES, 10)))
    elapsed = now - clock.from_text(row[1])
    # A failure that lies ahead was noted by a clock since set back: it must not lock the counter until then.
    return max(timedelta(), wait - elapsed) if elapsed >= timedelta() else timedelta()


def _count_failure(ops: Database, clerk_id: str, now: datetime) -> None:
    ops.execute(
        """
        insert into pin_failure (clerk_id, failures, last_at) values (?, 1, ?)
        on conflict (clerk_id) do update set failures = failures + 1, last_at = excluded.last_at
        """,
        [clerk_id, clock.to_text(now)],
    )


def _matches(pin_hash: str, pin: str) -> bool:
    try:
        return PasswordHasher().verify(pin_hash, pin)
    except (VerificationError, InvalidHashError):
        return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
