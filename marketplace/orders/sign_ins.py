"""Customers signed in by a mailed link, to find the orders of their address again; no password, and none needed to order.

Invariant: a link works once, for a quarter of an hour from when it was mailed; link and session are kept as their secret's hash
and nowhere else; asking for a link says nothing about whether an address is known.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import changed, execute_on, new_id, row, rows
from marketplace.orders.contacts import folded_email, read_email
from marketplace.running.mail import send_mail
from marketplace.sellers.people import LinkSpent, digest
from pos import clock
from pos.errors import PosError
from pos.throttle import Throttle, whole_seconds

MAIL = "sign_in"
LINK = timedelta(minutes=15)
SESSION = timedelta(days=30)
MOST_ORDERS = 200
ASKED = Throttle(
    table="console_failure", key="name", free_tries=5, first_wait=timedelta(minutes=1), longest_wait=timedelta(minutes=15)
)
SOURCES = Throttle(
    table="console_failure", key="name", free_tries=30, first_wait=timedelta(minutes=1), longest_wait=timedelta(minutes=15)
)
"""Links are counted for an address, whoever asks, so that nobody's mailbox is flooded, and for a source."""


class TooManyLinks(PosError):
    """Links were asked for too often; `data["retry_after_s"]` says when to ask again."""

    status = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInCustomer:
    """Somebody signed in, known by an address that they read mail at."""

    owner_id: str
    email: str
    session_sha256: str


def send_link(connection: Connection, typed: str, *, language: str, source: str, now: datetime) -> None:
    """Have a link mailed to an address that orders were placed with, in the caller's transaction; nothing to any other.

    Raises: TooManyLinks, alike for every address.
    """
    email = folded_email(read_email({"email": typed}))[:254]
    owner_id, execute = owner_of(email), execute_on(connection)
    wait = SOURCES.claim(execute, f"link {source}", now=now) or ASKED.claim(execute, f"link {owner_id}", now=now)
    if wait:
        raise TooManyLinks("too many links", retry_after_s=whole_seconds(wait))
    query = "select email from customer_order where email_folded = :email order by placed_at desc limit 1"
    known = row(connection, query, email=email)
    if known is None:
        return
    send_mail(connection, MAIL, to=known["email"], language=language, facts={}, owner_id=owner_id, unique=new_id())


def make_link(connection: Connection, owner_id: str, to: str, now: datetime) -> str:
    """Make a link for the mail that is about to leave, in the caller's transaction, and return its path."""
    secret = secrets.token_urlsafe(32)
    changed(connection, "delete from customer_link where expires_at < :now", now=clock.to_text(now))
    link = {"link_sha256": digest(secret), "email_folded": folded_email(to), "expires_at": clock.to_text(now + LINK)}
    connection.execute(tables.customer_link.insert(), {"owner_id": owner_id, **link})
    return f"/sign-in/{owner_id}/{secret}"


def check_link(connection: Connection, owner_id: str, secret: str, *, now: datetime) -> str:
    """Return the address a link is for. Raises: LinkSpent."""
    query = """
        select email_folded from customer_link
        where owner_id = :owner_id and link_sha256 = :link and expires_at > :now
    """
    known = row(connection, query, owner_id=owner_id, link=digest(secret), now=clock.to_text(now))
    if known is None:
        raise LinkSpent("this link opens nothing any more")
    return str(known["email_folded"])


def sign_in(connection: Connection, owner_id: str, secret: str, *, now: datetime) -> str:
    """Spend a link and return the cookie of a new session, in the caller's transaction. Raises: LinkSpent."""
    email = check_link(connection, owner_id, secret, now=now)
    spent = "delete from customer_link where owner_id = :owner_id and link_sha256 = :link"
    if not changed(connection, spent, owner_id=owner_id, link=digest(secret)):
        raise LinkSpent("this link opens nothing any more")
    changed(connection, "delete from customer_session where started_at < :before", before=clock.to_text(now - SESSION))
    token = secrets.token_urlsafe(32)
    session = {"session_sha256": digest(token), "email_folded": email, "started_at": clock.to_text(now)}
    connection.execute(tables.customer_session.insert(), {"owner_id": owner_id, **session})
    return f"{owner_id}.{token}"


def customer_of(connection: Connection, cookie: str, *, now: datetime) -> SignedInCustomer | None:
    """Return who a session's cookie belongs to; None for one that ended."""
    owner_id, _, token = cookie.partition(".")
    query = """
        select owner_id, email_folded as email, session_sha256 from customer_session
        where owner_id = :owner_id and session_sha256 = :session and started_at > :since
    """
    since = clock.to_text(now - SESSION)
    known = row(connection, query, owner_id=owner_id[:80], session=digest(token), since=since)
    return SignedInCustomer(**known) if known else None


def sign_out(connection: Connection, customer: SignedInCustomer) -> None:
    """End this session, in the caller's transaction."""
    sql = "delete from customer_session where owner_id = :owner_id and session_sha256 = :session"
    changed(connection, sql, owner_id=customer.owner_id, session=customer.session_sha256)


def orders_of(connection: Connection, customer: SignedInCustomer) -> list[dict[str, Any]]:
    """Return the orders placed with a customer's address, the newest first; `titles` names their devices."""
    query = """
        select order_id, number, state, placed_at, currency, facts from customer_order
        where email_folded = :email order by placed_at desc, order_id limit :most
    """
    placed = rows(connection, query, email=customer.email, most=MOST_ORDERS)
    return [{**order, "titles": _titles(json.loads(order.pop("facts")))} for order in placed]


def owner_of(email: str) -> str:
    """Return whose links and sessions an address has: its hash, which an address of a page may show."""
    return hashlib.sha256(f"customer {email}".encode(errors="replace")).hexdigest()[:32]


def _titles(facts: dict[str, Any]) -> list[str]:
    listings = [line["listing"] for line in facts["lines"] if line["basis"] != "dropped"]
    return [listing["title"] for listing in listings if listing]
