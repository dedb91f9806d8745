"""What HQ gives a seller or takes from one by hand: a goodwill, a fine; always a line of the seller's statement."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from marketplace.db import changed, row, rows
from marketplace.money.accounts import of_seller
from marketplace.money.days import later, newest_day
from marketplace.money.ledger import Fact, Posting, post
from pos.errors import NotFound, Refused

MOST_SHOWN = 200


class ReasonMissing(Refused):
    """An adjustment without an amount, or without a reason its seller can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """An amount in the seller's favour, or against it if negative. Its id is the form's own: sent twice it counts once."""

    seller_id: int
    adjustment_id: str
    currency: str
    amount_cents: int
    reason: str
    at: str


def adjust(connection: Connection, adjustment: Adjustment) -> bool:
    """Write an adjustment with its entry in the caller's transaction; False when it was written before.

    It counts from the next day's payout on, where it is latest: a market east of us may have ended a period on our today.
    Raises: NotFound, ReasonMissing.
    """
    if not row(connection, "select 1 as is_there from seller where seller_id = :seller_id", seller_id=adjustment.seller_id):
        raise NotFound("no seller has this number", field="seller")
    if not adjustment.reason or not adjustment.amount_cents:
        raise ReasonMissing("an adjustment has an amount and a reason", field="reason")
    if not changed(
        connection,
        """
        insert into adjustment (seller_id, adjustment_id, currency, amount_cents, reason, at)
        values (:seller_id, :adjustment_id, :currency, :amount_cents, :reason, :at)
        on conflict (seller_id, adjustment_id) do nothing
        """,
        **asdict(adjustment),
    ):
        return False
    seller, subject = of_seller(adjustment.seller_id), f"adjustment:{adjustment.adjustment_id}"
    due_on = later(newest_day(connection, adjustment.currency, adjustment.at), 1)
    lines = [
        Posting("seller_payable", seller, -adjustment.amount_cents, due_on),
        Posting("adjustments", seller, adjustment.amount_cents, due_on),
    ]
    fact = {"owner_id": seller, "name": subject, "subject": subject, "kind": "adjustment"}
    return post(connection, Fact(**fact, currency=adjustment.currency, at=adjustment.at), lines)


def newest_adjustments(connection: Connection) -> list[Adjustment]:
    """Return the newest adjustments."""
    found = rows(
        connection,
        """
        select seller_id, adjustment_id, currency, amount_cents, reason, at
        from adjustment order by at desc, adjustment_id desc limit :most
        """,
        most=MOST_SHOWN,
    )
    return [Adjustment(**adjustment) for adjustment in found]
