"""How many requests a key may make: one row a key, taken from by a conditional update, so that all workers count together.

A bucket of `BURST` requests that fills up by one every `EVERY`. Whoever asks less often than it fills is never refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from marketplace.db import changed, row
from marketplace.sellers.keys import ApiKey
from pos.errors import PosError

EVERY = timedelta(milliseconds=50)
BURST = 200
"""200 requests in ten seconds, as sellers' programs are used to (reference/domain.md §2)."""
MICROSECOND = timedelta(microseconds=1)


class TooManyRequests(PosError):
    """The key has no request to spend now; `data["retry_after_s"]` says when it has."""

    status = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a key may still ask at once, and in how many seconds it may ask the whole `limit` again."""

    limit: int
    remaining: int
    reset_s: int


def spend(connection: Connection, key: ApiKey, *, now: datetime, every: timedelta = EVERY, burst: int = BURST) -> Allowance:
    """Take one request from the key, in the caller's transaction. Raises: TooManyRequests."""
    step = every // MICROSECOND
    moment = round(now.timestamp() * 1_000_000)
    about = {"seller_id": key.seller_id, "key_id": key.key_id}
    is_taken = changed(
        connection,
        """
        update api_key set full_at_us = case when full_at_us > :now then full_at_us else :now end + :step
        where seller_id = :seller_id and key_id = :key_id
          and case when full_at_us > :now then full_at_us else :now end + :step <= :now + :room
        """,
        now=moment,
        step=step,
        room=step * burst,
        **about,
    )
    stored = row(connection, "select full_at_us from api_key where seller_id = :seller_id and key_id = :key_id", **about)
    spent = max(0, (stored["full_at_us"] if stored else 0) - moment)
    if not is_taken:
        wait_s = max(1, -(-(spent - step * (burst - 1)) // 1_000_000))
        raise TooManyRequests("no request left for now", retry_after_s=wait_s, limit=burst)
    return Allowance(limit=burst, remaining=burst - -(-spent // step), reset_s=-(-spent // 1_000_000))
