"""Writes that may be sent again: under one `Idempotency-Key` a seller's write is done once, and answered the same for a day.

Invariant: the answer is stored in the transaction of the write it answers, so there is never one without the other. A request
that is refused leaves no answer: it did nothing, and may be sent again.
Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from marketplace.db import CHANGED_AT_ONCE, change_in_chunks, changed, row, run_tx
from pos import clock
from pos.errors import Conflict, Invalid, Refused

KEPT = timedelta(hours=24)
LEASE = timedelta(minutes=1)
"""A request that did not answer within this time died with its worker."""
MOST_KEY = 255
AGAIN_S = 1


class RequestInFlight(Conflict):
    """The same write is being done for an earlier request; `data["retry_after_s"]` says when to ask again."""


class KeyReused(Refused):
    """This `Idempotency-Key` was used for another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """What a write answers: an HTTP status and a JSON text; `is_repeat` where it was stored before."""

    status: int
    body: str
    is_repeat: bool = False


Write = Callable[[Connection], ApiAnswer]


def write_once(
    engine: Engine, seller_id: int, repeat_key: str | None, request: bytes, write: Write, *, now: datetime
) -> ApiAnswer:
    """Do a write and return its answer, or the stored one of the same `request` under this key; `write` may run again.

    Raises: RequestInFlight, KeyReused, Invalid, and what `write` raises.
    """
    if repeat_key is None:
        return run_tx(engine, write)
    if not 0 < len(repeat_key) <= MOST_KEY or not repeat_key.isascii() or not repeat_key.isprintable():
        raise Invalid(f"an Idempotency-Key has 1 to {MOST_KEY} ASCII characters", field="Idempotency-Key")
    about = {"seller_id": seller_id, "repeat_key": repeat_key}
    claim, digest = secrets.token_hex(16), hashlib.sha256(request).hexdigest()
    stored = run_tx(engine, lambda connection: _claim(connection, about, claim=claim, digest=digest, now=now))
    if stored is not None:
        return stored
    try:
        return run_tx(engine, lambda connection: _write(connection, about, write, claim=claim))
    except BaseException:
        run_tx(engine, lambda connection: changed(connection, f"delete {_CLAIMED}", claim=claim, **about) and None)
        raise


def forget_answers(engine: Engine, *, now: datetime) -> int:
    """Delete answers that are kept no longer, some in a transaction; return how many."""
    delete = """
        delete from api_answer where (seller_id, repeat_key) in (
          select seller_id, repeat_key from api_answer where claimed_at < :until limit :most
        )
    """
    values = {"until": clock.to_text(now - KEPT), "most": CHANGED_AT_ONCE}
    return change_in_chunks(engine, lambda connection: changed(connection, delete, **values))


_CLAIMED = "from api_answer where seller_id = :seller_id and repeat_key = :repeat_key and claim = :claim and status is null"


def _claim(connection: Connection, about: dict[str, object], *, claim: str, digest: str, now: datetime) -> ApiAnswer | None:
    """Make the key this request's, or return the answer that is stored under it."""
    is_new = changed(
        connection,
        """
        insert into api_answer (seller_id, repeat_key, request_sha256, claim, claimed_at)
        values (:seller_id, :repeat_key, :digest, :claim, :now)
        on conflict (seller_id, repeat_key) do update
        set request_sha256 = excluded.request_sha256, claim = excluded.claim, claimed_at = excluded.claimed_at,
          status = null, body = null
        where api_answer.claimed_at < :forgotten or (api_answer.status is null and api_answer.claimed_at < :died)
        """,
        **about,
        digest=digest,
        claim=claim,
        now=clock.to_text(now),
        forgotten=clock.to_text(now - KEPT),
        died=clock.to_text(now - LEASE),
    )
    if is_new:
        return None
    query = "select * from api_answer where seller_id = :seller_id and repeat_key = :repeat_key"
    stored = row(connection, query, **about) or {}
    if stored["request_sha256"] != digest:
        raise KeyReused("this Idempotency-Key was used for another request")
    if stored["status"] is None:
        raise RequestInFlight("this request is being answered", retry_after_s=AGAIN_S)
    return ApiAnswer(status=stored["status"], body=stored["body"], is_repeat=True)


def _write(connection: Connection, about: dict[str, object], write: Write, *, claim: str) -> ApiAnswer:
    answer = write(connection)
    is_kept = changed(
        connection,
        """
        update api_answer set status = :status, body = :body
        where seller_id = :seller_id and repeat_key = :repeat_key and claim = :claim and status is null
        """,
        **about,
        claim=claim,
        status=answer.status,
        body=answer.body,
    )
    if not is_kept:
        raise RequestInFlight("another request took this key over", retry_after_s=AGAIN_S)
    return answer
