"""The console's sessions: the password opens one, and HQ can end it at any time.

A session is stored as its token's hash, so a copied database opens no console. Wrong passwords are counted by their source, and a
browser that logged in before is a source of its own: nobody elsewhere can lock HQ out.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine

from marketplace.db import execute_on, run_tx
from marketplace.settings import setting, store_setting
from pos import clock
from pos.errors import PosError
from pos.throttle import Throttle, whole_seconds

SESSION = timedelta(hours=12)
SESSIONS = "console_sessions"
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""For passwords of HQ's console and of sellers: the least OWASP's password storage cheat sheet asks for."""
PASSWORDS = Throttle(
    table="console_failure", key="name", free_tries=5, first_wait=timedelta(seconds=30), longest_wait=timedelta(minutes=15)
)


class WrongPassword(PosError):
    """Not the console's password; `data` may carry `wait_s` while further tries are refused."""

    status = 403


def log_in(engine: Engine, password: str, *, source: str, now: datetime) -> str:
    """Return the token of a new session; `source` says where the try comes from. Raises: WrongPassword."""
    name = f"console {source}"

    def claim(connection: Connection) -> tuple[timedelta, str]:
        return PASSWORDS.claim(execute_on(connection), name, now=now), setting(connection, "console_password") or ""

    wait, hashed = run_tx(engine, claim)
    if wait:
        raise WrongPassword("too many tries", wait_s=whole_seconds(wait))
    try:
        HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        raise WrongPassword("not the password") from None
    token = secrets.token_urlsafe(32)

    def start(connection: Connection) -> None:
        PASSWORDS.forgive(execute_on(connection), name)
        live = {digest: at for digest, at in _sessions(connection).items() if _is_live(at, now)}
        store_setting(connection, SESSIONS, {**live, _digest(token): clock.to_text(now)})

    run_tx(engine, start)
    return token


def is_open(connection: Connection, token: str, *, now: datetime) -> bool:
    """Tell whether the session was started within the last hours and not ended."""
    started_at = _sessions(connection).get(_digest(token))
    return started_at is not None and _is_live(started_at, now)


def log_out(connection: Connection, token: str) -> None:
    """End the session, in the caller's transaction."""
    ended = _digest(token)
    store_setting(connection, SESSIONS, {digest: at for digest, at in _sessions(connection).items() if digest != ended})


def end_all(connection: Connection) -> None:
    """End every session, in the caller's transaction: a new password lets nobody stay."""
    store_setting(connection, SESSIONS, {})


def _sessions(connection: Connection) -> dict[str, str]:
    """Return when each session was started, by its token's hash."""
    return setting(connection, SESSIONS) or {}


def _is_live(started_at: str, now: datetime) -> bool:
    """Tell whether a session of that start may go on; a clock set back makes it lie ahead, and counts the same way."""
    return abs(now - clock.from_text(started_at)) < SESSION


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
