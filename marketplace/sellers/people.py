"""Who works for a seller: owner, shipping or reader, a password chosen by a one-time link, and sessions of their own.

Invariant: a seller has an owner; a session or link is stored as its secret's hash; a new password ends every other session.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine

from marketplace import sessions, tables
from marketplace.db import changed, execute_on, new_id, reading, row, rows, run_tx
from marketplace.running.mail import is_mailable
from pos import clock
from pos.errors import Conflict, NotFound, PosError, Refused
from pos.throttle import Throttle, whole_seconds

ROLES = ("reader", "shipping", "owner")
"""Each may do what those before it may."""
SESSION = timedelta(hours=12)
LINK = timedelta(days=3)
LEAST_LETTERS, MOST_LETTERS = 10, 200
MOST_PEOPLE = 50
LONGEST_EMAIL = 254
LOG_INS = Throttle(
    table="console_failure", key="name", free_tries=5, first_wait=timedelta(seconds=30), longest_wait=timedelta(minutes=15)
)
SOURCES = Throttle(
    table="console_failure", key="name", free_tries=50, first_wait=timedelta(seconds=30), longest_wait=timedelta(minutes=15)
)
"""Tries are counted for an address and its source together, so that nobody elsewhere locks a person out, and for the source."""


class WrongLogIn(PosError):
    """Not this person's password; `data` may carry `wait_s` while further tries are refused."""

    status = 403


class LinkSpent(Conflict):
    """The link was used, has expired, or a newer one was sent."""


class PasswordRefused(Refused):
    """A password that is too short or too long, or the one of now is not right; `data["reason"]` says which."""


class PersonRefused(Refused):
    """No e-mail address, an unknown role, somebody who is there already, or too many; `data["reason"]` says which."""


class LastOwner(Conflict):
    """A seller keeps an owner: another one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody signed in at a seller's desk; `seller_state` is where the seller stands."""

    seller_id: int
    user_id: str
    email: str
    role: str
    seller_name: str
    seller_state: str
    session_sha256: str

    def may(self, role: str) -> bool:
        """Tell whether this person may do what `role` may."""
        return ROLES.index(self.role) >= ROLES.index(role)


def log_in(engine: Engine, email: str, password: str, *, source: str, now: datetime) -> str:
    """Return the cookie of a new session. Raises: WrongLogIn."""
    folded = email.strip().casefold()[:LONGEST_EMAIL]
    name, place = f"desk {folded} {source}", f"desk {source}"

    def claim(connection: Connection) -> tuple[timedelta, list[dict[str, Any]]]:
        execute = execute_on(connection)
        wait = SOURCES.claim(execute, place, now=now) or LOG_INS.claim(execute, name, now=now)
        known = """
            select seller_id, user_id, password_hash from seller_user
            where email_folded = :email and removed_at is null and password_hash is not null
            order by seller_id limit 5
        """
        return wait, rows(connection, known, email=folded)

    wait, people = run_tx(engine, claim)
    if wait:
        raise WrongLogIn("too many tries", wait_s=whole_seconds(wait))
    # Somebody unknown takes as long as a wrong password: the answer's time tells nobody who sells here.
    known = [each for each in people or [{"password_hash": _nobody()}] if _is_right(each["password_hash"], password)]
    if not known or not people:
        raise WrongLogIn("not the password")
    person, secret = known[0], secrets.token_urlsafe(32)

    def start(connection: Connection) -> None:
        LOG_INS.forgive(execute_on(connection), name)
        changed(connection, "delete from seller_session where started_at < :before", before=clock.to_text(now - SESSION))
        values = {"session_sha256": digest(secret), "user_id": person["user_id"], "started_at": clock.to_text(now)}
        connection.execute(tables.seller_session.insert(), {"seller_id": person["seller_id"], **values})

    run_tx(engine, start)
    return f"{person['seller_id']}.{secret}"


def person_of(connection: Connection, cookie: str, *, now: datetime) -> Person | None:
    """Return who a session's cookie belongs to; None for one that ended, or of somebody who was removed."""
    seller_id, _, secret = cookie.partition(".")
    if not (seller_id.isascii() and seller_id.isdigit() and len(seller_id) <= 12):
        return None
    known = row(
        connection,
        """
        select seller.seller_id, seller_user.user_id, seller_user.email, role, seller.state as seller_state, session_sha256,
          seller.body
        from seller_session
        join seller_user on seller_user.seller_id = seller_session.seller_id
          and seller_user.user_id = seller_session.user_id and removed_at is null
        join seller on seller.seller_id = seller_session.seller_id
        where seller_session.seller_id = :seller_id and session_sha256 = :session and started_at > :since
        """,
        seller_id=int(seller_id),
        session=digest(secret),
        since=clock.to_text(now - SESSION),
    )
    if known is None:
        return None
    body = known.pop("body")
    return Person(**known, seller_name=json.loads(body)["name"])


def log_out(connection: Connection, person: Person) -> None:
    """End this session, in the caller's transaction."""
    sql = "delete from seller_session where seller_id = :seller_id and session_sha256 = :session"
    changed(connection, sql, seller_id=person.seller_id, session=person.session_sha256)


def people(connection: Connection, seller_id: int) -> list[dict[str, Any]]:
    """Return a seller's people, owners first; `has_password` tells whether they used their link."""
    return rows(
        connection,
        """
        select user_id, email, role, created_at, password_hash is not null as has_password from seller_user
        where seller_id = :seller_id and removed_at is null
        order by case role when 'owner' then 0 when 'shipping' then 1 else 2 end, email_folded
        """,
        seller_id=seller_id,
    )


def invite(connection: Connection, seller_id: int, email: str, role: str, *, now: datetime) -> tuple[str, str]:
    """Add a person, in the caller's transaction; return its id and the secret of its link. Raises: PersonRefused."""
    present = people(connection, seller_id)
    folded = email.strip().casefold()
    if role not in ROLES or len(folded) > LONGEST_EMAIL or not is_mailable(folded):
        raise PersonRefused("no e-mail address or role", reason="wrong")
    if len(present) >= MOST_PEOPLE or folded in {person["email"].casefold() for person in present}:
        raise PersonRefused("there already", reason="present" if len(present) < MOST_PEOPLE else "many")
    user_id = new_id()
    values = {"email": email.strip(), "email_folded": folded, "role": role, "password_hash": None, "removed_at": None}
    connection.execute(
        tables.seller_user.insert(),
        {"seller_id": seller_id, "user_id": user_id, **values, "created_at": clock.to_text(now)},
    )
    return user_id, start_link(connection, seller_id, user_id, now=now)


def start_link(connection: Connection, seller_id: int, user_id: str, *, now: datetime) -> str:
    """Return the secret of a new link by which a person chooses a password; an earlier one opens nothing any more.

    Runs in the caller's transaction. Raises: NotFound.
    """
    _present(connection, seller_id, user_id)
    whose = {"seller_id": seller_id, "user_id": user_id}
    changed(connection, "delete from seller_link where seller_id = :seller_id and user_id = :user_id", **whose)
    secret = secrets.token_urlsafe(24)
    values = {**whose, "link_sha256": digest(secret), "expires_at": clock.to_text(now + LINK)}
    connection.execute(tables.seller_link.insert(), values)
    return secret


def link_owner(connection: Connection, seller_id: int, secret: str, *, now: datetime) -> dict[str, Any]:
    """Return the person a link belongs to. Raises: LinkSpent."""
    owner = row(
        connection,
        """
        select seller_user.user_id, email from seller_link
        join seller_user on seller_user.seller_id = seller_link.seller_id
          and seller_user.user_id = seller_link.user_id and removed_at is null
        where seller_link.seller_id = :seller_id and link_sha256 = :link and expires_at > :now
        """,
        seller_id=seller_id,
        link=digest(secret),
        now=clock.to_text(now),
    )
    if owner is None:
        raise LinkSpent("this link opens nothing any more")
    return owner


def choose_password(engine: Engine, seller_id: int, secret: str, password: str, *, now: datetime) -> None:
    """Set the password of a link's person; the link is spent and every session of that person ends.

    Raises: LinkSpent, PasswordRefused.
    """
    hashed = hash_password(password)

    def work(connection: Connection) -> None:
        owner = link_owner(connection, seller_id, secret, now=now)
        sql = "delete from seller_link where seller_id = :seller_id and link_sha256 = :link"
        if not changed(connection, sql, seller_id=seller_id, link=digest(secret)):
            raise LinkSpent("this link opens nothing any more")
        _store_password(connection, seller_id, owner["user_id"], hashed, but="")

    run_tx(engine, work)


def change_password(engine: Engine, person: Person, current: str, password: str) -> None:
    """Set another password for somebody who knows the one of now; that person's other sessions end. Raises: PasswordRefused."""
    hashed = hash_password(password)
    with reading(engine) as connection:
        stored = _present(connection, person.seller_id, person.user_id)
    if not _is_right(stored["password_hash"], current):
        raise PasswordRefused("not the password of now", reason="current")
    run_tx(
        engine,
        lambda connection: _store_password(connection, person.seller_id, person.user_id, hashed, but=person.session_sha256),
    )


def change_role(connection: Connection, seller_id: int, user_id: str, role: str) -> None:
    """Give a person another role, in the caller's transaction. Raises: NotFound, PersonRefused, LastOwner."""
    if role not in ROLES:
        raise PersonRefused("no such role", reason="wrong")
    _keep_an_owner(connection, seller_id, user_id, role)
    sql = "update seller_user set role = :role where seller_id = :seller_id and user_id = :user_id"
    changed(connection, sql, role=role, seller_id=seller_id, user_id=user_id)


def remove(connection: Connection, seller_id: int, user_id: str, *, now: datetime) -> None:
    """Remove a person, in the caller's transaction: sessions and links end at once. Raises: NotFound, LastOwner."""
    _keep_an_owner(connection, seller_id, user_id, "")
    whose = {"seller_id": seller_id, "user_id": user_id}
    sql = "update seller_user set removed_at = :at where seller_id = :seller_id and user_id = :user_id"
    changed(connection, sql, at=clock.to_text(now), **whose)
    for table in ("seller_session", "seller_link"):
        changed(connection, f"delete from {table} where seller_id = :seller_id and user_id = :user_id", **whose)


def hash_password(password: str) -> str:
    """Return a password's argon2id hash. Raises: PasswordRefused."""
    if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
        raise PasswordRefused("too short or too long", reason="length")
    return sessions.HASHER.hash(password)


def digest(secret: str) -> str:
    """Return the form in which a secret is kept."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _store_password(connection: Connection, seller_id: int, user_id: str, hashed: str, *, but: str) -> None:
    whose = {"seller_id": seller_id, "user_id": user_id}
    sql = "update seller_user set password_hash = :hashed where seller_id = :seller_id and user_id = :user_id"
    changed(connection, sql, hashed=hashed, **whose)
    ended = "delete from seller_session where seller_id = :seller_id and user_id = :user_id and session_sha256 <> :but"
    changed(connection, ended, but=but, **whose)


def _keep_an_owner(connection: Connection, seller_id: int, user_id: str, role: str) -> None:
    person = _present(connection, seller_id, user_id)
    # Writing the seller's row makes two owners who demote each other wait for one another.
    changed(connection, "update seller set state = state where seller_id = :seller_id", seller_id=seller_id)
    owners = [each["user_id"] for each in people(connection, seller_id) if each["role"] == "owner"]
    if person["role"] == "owner" and role != "owner" and owners == [user_id]:
        raise LastOwner("a seller keeps an owner")


def _present(connection: Connection, seller_id: int, user_id: str) -> dict[str, Any]:
    person = row(
        connection,
        "select * from seller_user where seller_id = :seller_id and user_id = :user_id and removed_at is null",
        seller_id=seller_id,
        user_id=user_id,
    )
    if person is None:
        raise NotFound("nobody of this seller")
    return person


def _is_right(hashed: str | None, password: str) -> bool:
    try:
        return sessions.HASHER.verify(hashed or "", password[: MOST_LETTERS + 1])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return hash_password(secrets.token_urlsafe(24))
