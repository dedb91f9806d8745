"""Orders as their customers see them: what was agreed, frozen, and what has become of it since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NotRequired, TypedDict, cast

from sqlalchemy import Connection

from marketplace.db import row
from marketplace.orders.order_lines import OrderLine
from marketplace.orders.slips import SlipCorner
from pos.errors import NotFound
from pos.laws import Guarantees
from pos.months import Span
from pos.totals import TotalsFacts


class OrderFacts(TypedDict):
    """What was agreed, frozen with an order. Times are UTC texts; `corner` and `digits` are those of its slip, if it has one;
    `partner_id` is the partner by whose entry of the shop it came, and pays nothing for that.

    Orders of the first version lack `months`, `digits` and `time_zone`, later ones `partner_id`.
    """

    issued_at: str
    valid_until: str
    is_valid: bool
    corner: SlipCorner | None
    tax_included: bool
    lines: list[OrderLine]
    guarantees: Guarantees
    months: NotRequired[Sequence[Span]]
    digits: NotRequired[str | None]
    time_zone: NotRequired[str]
    partner_id: NotRequired[str | None]


class Order(TypedDict):
    """An order as its customer sees it; name and e-mail are for masking only."""

    customer_id: str
    order_id: str
    number: str
    market: str
    currency: str
    state: str
    reserved_until: str | None
    source: str
    name: str
    email: str
    facts: OrderFacts
    totals: TotalsFacts
    placed_at: str
    may_substitute: int


def order(connection: Connection, order_id: str) -> Order:
    """Return an order with what was agreed. Raises: NotFound."""
    found = row(
        connection,
        """
        select customer_id, order_id, number, market, currency, state, reserved_until, source, name, email, facts, totals,
          placed_at, may_substitute
        from customer_order where order_id = :order_id
        """,
        order_id=order_id,
    )
    if found is None:
        raise NotFound("no such order")
    return cast(Order, {**found, "facts": json.loads(found["facts"]), "totals": json.loads(found["totals"])})
