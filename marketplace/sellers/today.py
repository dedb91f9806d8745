"""What a seller's people find in the morning: orders, returns and messages that wait, each with its time, and the figures.

Invariant: what waits is read from the rows the other pages act on; nothing is noted as seen by looking at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.money.days import next_payout_day
from marketplace.money.payouts import SEPA_CURRENCY, payables_on
from marketplace.sellers import standing
from marketplace.sellers.orders import WaitingUnits, waiting
from marketplace.sellers.quality import newest_figures
from marketplace.sellers.returns import SellerCase, cases_of_seller
from pos import clock

ASKED_WITHIN = timedelta(days=14)
"""How long a message without an answer is shown: what is older was settled otherwise, or was a thank-you."""
MOST_MESSAGES = 20
UNANSWERED = """
    select message.part_id, part.number, message.at, message.body
    from message
    join part on part.seller_id = message.seller_id and part.part_id = message.part_id
    where message.seller_id = :seller_id and message.by = 'customer' and message.at > :since and not exists (
      select 1 from message later
      where later.seller_id = message.seller_id and later.part_id = message.part_id and later.message_no > message.message_no
    )
    order by message.at limit :most
"""
SUPPLY = """
    select count(*) as listings,
      coalesce(sum(case when listing.state = 'online' and listing.quantity > listing.reserved then 1 else 0 end), 0) as online,
      coalesce(sum(case when own.held_cents is not null then 1 else 0 end), 0) as held
    from listing
    left join seller_listing own on own.seller_id = listing.seller_id and own.listing_id = listing.listing_id
    where listing.seller_id = :seller_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCase:
    """A return or claim that waits for its seller; `left_minutes` until it is due may be negative, None where no day is set."""

    case: SellerCase
    left_minutes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMessage:
    """A customer's last word on an order, unanswered for so long."""

    part_id: str
    number: str
    at: str
    body: str
    waited_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TodayFigures:
    """Where a shop stands: listings there are, on sale and with a held price; what the next payout brings; quality, once counted.

    Nothing is on sale of a seller that is suspended or closed. `payable_cents` are by currency.
    `quality_bp` is None before the first night.
    """

    listings: int
    online: int
    held: int
    payout_day: str
    payable_cents: dict[str, int]
    quality_bp: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TodayPage:
    """The desk's first page: what waits, the last decision about the seller with the day it closes on, and figures."""

    to_accept: list[WaitingUnits]
    to_ship: list[WaitingUnits]
    cases: list[WaitingCase]
    messages: list[WaitingMessage]
    decision: dict[str, Any] | None
    figures: TodayFigures


def today_page(connection: Connection, seller_id: int, seller_state: str, *, now: datetime) -> TodayPage:
    """Return what waits for a seller and how it stands."""
    to_accept, to_ship = (waiting(connection, seller_id, state, now=now) for state in ("to_accept", "accepted"))
    history = standing.steps(connection, seller_id)
    decision = {**history[0], "closing_at": standing.closing_at(history, now)} if history else None
    return TodayPage(
        to_accept=to_accept,
        to_ship=to_ship,
        cases=_cases(connection, seller_id, now),
        messages=_messages(connection, seller_id, now),
        decision=decision,
        figures=_figures(connection, seller_id, seller_state, now),
    )


def _cases(connection: Connection, seller_id: int, now: datetime) -> list[WaitingCase]:
    """Return the cases in which the next step is the seller's."""
    cases = [each for each in cases_of_seller(connection, seller_id) if each.case["state"] in ("asked", "received")]
    return [WaitingCase(case=each, left_minutes=_minutes(each.case["due_at"], now)) for each in cases]


def _messages(connection: Connection, seller_id: int, now: datetime) -> list[WaitingMessage]:
    since = clock.to_text(now - ASKED_WITHIN)
    unanswered = rows(connection, UNANSWERED, seller_id=seller_id, since=since, most=MOST_MESSAGES)
    return [WaitingMessage(**each, waited_minutes=-(_minutes(each["at"], now) or 0)) for each in unanswered]


def _figures(connection: Connection, seller_id: int, seller_state: str, now: datetime) -> TodayFigures:
    supply = row(connection, SUPPLY, seller_id=seller_id) or {"listings": 0, "online": 0, "held": 0}
    is_gone = seller_state in ("suspended", "closed")
    day, night = next_payout_day(clock.local_day(now, clock.HOME_ZONE)), newest_figures(connection, seller_id)
    return TodayFigures(
        listings=supply["listings"],
        online=0 if is_gone else supply["online"],
        held=supply["held"],
        payout_day=day,
        payable_cents=payables_on(connection, seller_id, day) or {SEPA_CURRENCY: 0},
        quality_bp=night.quality_bp if night else None,
    )


def _minutes(at: str | None, now: datetime) -> int | None:
    return int((clock.from_text(at) - now).total_seconds() // 60) if at else None
