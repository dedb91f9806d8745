"""Applications to sell: received from anybody, decided by HQ; what is let in becomes a seller on trial.

Invariant: a company has one application that is waiting or was let in. Sellers with a desk are counted from `DESK_SELLERS_FROM`;
a number is never used again, and no feed may name one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import changed, execute_on, row, rows
from marketplace.feeds.content import DESK_SELLERS_FROM
from marketplace.sellers.companies import Company, company_key
from marketplace.sellers.documents import Document, record_documents
from marketplace.sellers.people import invite
from marketplace.sellers.quality_rules import rules_of
from marketplace.sellers.standing import Reasons, mark_seller, note_step
from marketplace.settings import setting, store_setting
from pos import clock
from pos.errors import Conflict, NotFound, PosError, Unavailable
from pos.throttle import Throttle, whole_seconds

LAST_SELLER = "last_desk_seller"
MOST_WAITING, MOST_WAITING_BYTES = 300, 2 * 10**9
"""How many applications, and how much of their documents, may wait for HQ in all: anybody may send one."""
APPLICATIONS = Throttle(
    table="console_failure", key="name", free_tries=20, first_wait=timedelta(minutes=1), longest_wait=timedelta(hours=1)
)
"""How many forms one source may send: somebody who mends one field after the other sends several."""


class AlreadyApplied(Conflict):
    """The company's application is waiting, or was let in."""


class TooManyApplications(PosError):
    """More applications came from one source than a company sends; `data` carries `retry_after_s`."""

    status = 429


class ApplicationsFull(Unavailable):
    """More applications wait than HQ can keep; it has to decide about some first."""


class AlreadyDecided(Conflict):
    """Somebody decided about this application before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application as HQ reads it; `documents` have their number, name and length."""

    seller_id: int
    state: str
    email: str
    language: str
    applied_at: str
    confirmed_at: str | None
    company: Company
    documents: list[dict[str, Any]]


def claim_try(connection: Connection, source: str, *, now: datetime) -> None:
    """Count an application from `source`, in a transaction of its own. Raises: TooManyApplications."""
    wait = APPLICATIONS.claim(execute_on(connection), f"application {source}", now=now)
    if wait:
        raise TooManyApplications("too many applications", retry_after_s=whole_seconds(wait))


def receive(
    connection: Connection,
    company: Company,
    documents: Sequence[Document],
    files: Sequence[str],
    *,
    email: str,
    language: str,
    now: datetime,
) -> int:
    """Keep an application, in the caller's transaction, and return the number of the seller it may become.

    Raises: AlreadyApplied, ApplicationsFull.
    """
    # The counter is written by every application, so that no two of one company are judged at once.
    seller_id = _next_seller_id(connection)
    key = company_key(company)
    if row(
        connection,
        "select 1 as one from seller_application where company = :company and state in ('applied', 'admitted')",
        company=key,
    ):
        raise AlreadyApplied("this company has applied")
    _refuse_overfull(connection, documents)
    connection.execute(
        tables.seller_application.insert(),
        {
            "seller_id": seller_id,
            "state": "applied",
            "company": key,
            "email": email,
            "language": language,
            "body": compact(company),
            "applied_at": clock.to_text(now),
            "link_sha256": None,
            "confirmed_at": None,
        },
    )
    record_documents(connection, seller_id, documents, files, now=now)
    return seller_id


def applications(connection: Connection) -> list[dict[str, Any]]:
    """Return the applications that wait for HQ's decision, the oldest first."""
    waiting = rows(
        connection,
        """
        select seller_id, email, applied_at, body from seller_application
        where state = 'applied'
        order by applied_at, seller_id
        """,
    )
    return [{**each, "company": json.loads(each["body"])} for each in waiting]


def application(connection: Connection, seller_id: int) -> Application:
    """Return an application with its documents. Raises: NotFound."""
    stored = row(connection, "select * from seller_application where seller_id = :seller_id", seller_id=seller_id)
    if stored is None:
        raise NotFound("no such application")
    documents = rows(
        connection,
        "select document_no, name, length from seller_document where seller_id = :seller_id order by document_no",
        seller_id=seller_id,
    )
    names = ("seller_id", "state", "email", "language", "applied_at", "confirmed_at")
    kept = {name: stored[name] for name in names}
    return Application(**kept, company=json.loads(stored["body"]), documents=documents)


def admit(connection: Connection, seller_id: int, reasons: Reasons, *, by: str, now: datetime) -> None:
    """Let an applicant in as a seller on trial, its contact as owner.

    Runs in the caller's transaction. Raises: NotFound, AlreadyDecided.
    """
    asking = application(connection, seller_id)
    _decide(connection, seller_id, "admitted")
    company = asking.company
    body = {
        "seller_id": seller_id,
        "name": company["trading_name"],
        "legal_name": company["legal_name"],
        "city": company["city"],
        "country": company["country"],
    }
    connection.execute(
        tables.seller.insert(),
        {
            "seller_id": seller_id,
            "quality_bp": rules_of(connection, clock.to_text(now)[:10]).start_quality_bp,
            "suspended": 0,
            "body": compact(body),
            "source": "desk",
            "state": "trial",
        },
    )
    mark_seller(connection, seller_id)
    note_step(connection, seller_id, "trial", reasons, by=by, now=now)
    invite(connection, seller_id, asking.email, "owner", now=now)


def refuse(connection: Connection, seller_id: int, reasons: Reasons, *, by: str, now: datetime) -> None:
    """Refuse an applicant, who may apply again, in the caller's transaction. Raises: NotFound, AlreadyDecided."""
    application(connection, seller_id)
    _decide(connection, seller_id, "refused")
    note_step(connection, seller_id, "refused", reasons, by=by, now=now)


def _refuse_overfull(connection: Connection, documents: Sequence[Document]) -> None:
    found = row(
        connection,
        """
        select count(distinct seller_application.seller_id) as number, cast(coalesce(sum(length), 0) as bigint) as bytes
        from seller_application
        left join seller_document on seller_document.seller_id = seller_application.seller_id
        where seller_application.state = 'applied'
        """,
    )
    waiting = found or {"number": 0, "bytes": 0}
    sent = sum(len(document.content) for document in documents)
    if waiting["number"] >= MOST_WAITING or waiting["bytes"] + sent > MOST_WAITING_BYTES:
        raise ApplicationsFull("too many applications wait")


def _decide(connection: Connection, seller_id: int, state: str) -> None:
    sql = "update seller_application set state = :state where seller_id = :seller_id and state = 'applied'"
    if not changed(connection, sql, state=state, seller_id=seller_id):
        raise AlreadyDecided("decided before")


def _next_seller_id(connection: Connection) -> int:
    seller_id = (setting(connection, LAST_SELLER) or DESK_SELLERS_FROM - 1) + 1
    store_setting(connection, LAST_SELLER, seller_id)
    return int(seller_id)
