"""From money to work: a paid order becomes one part a seller, with units to accept; an unpaid one gives its units back.

Invariant: an order becomes paid once, whoever says so and how often; units exist only of paid orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace import tables
from marketplace.db import changed, new_id, reading, row, rows, run_tx
from marketplace.money.provider import NoProvider, ProviderDown
from marketplace.orders import stock
from marketplace.orders.activations import request_activations
from marketplace.orders.step_mails import mail_customer, mail_new_part, mail_paid_order, remind_before
from marketplace.papers.confirmations import issue_confirmation
from pos import clock

ACCEPT_WITHIN = timedelta(hours=24)
"""How long a seller may take to accept a paid unit before it is taken from them."""
MOST_RELEASED = 100
CHANGES = "changes"

LINES = """
    select line_no, seller_id, listing_id, sku_id, grade_id, partner_id, quantity, owed_cents, collected_cents, tax_cents,
      vat_margin, delivery_days
    from order_line
    where customer_id = :customer_id and order_id = :order_id and listing_id is not null and basis <> 'dropped'
    order by seller_id, line_no
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidOrder:
    """A paid order, as the parts it is split into need it."""

    customer_id: str
    order_id: str
    number: str
    market: str
    currency: str


def amount_cents(connection: Connection, customer_id: str, order_id: str) -> int:
    """Return what the customer pays us for an order, tax included: the devices' share that is due at once."""
    found = row(
        connection,
        """
        select coalesce(sum(quantity * (collected_cents + tax_cents)), 0) as cents from order_line
        where customer_id = :customer_id and order_id = :order_id and basis <> 'dropped'
        """,
        customer_id=customer_id,
        order_id=order_id,
    )
    return int(found["cents"]) if found else 0


def mark_paid(connection: Connection, customer_id: str, order_id: str, *, at: str) -> bool:
    """Note that the money of an order is there (UTC text `at`), and give each seller their part.

    An order whose units were given back reserves them anew. Return False where they are gone: the money must go back.
    """
    order = row(
        connection,
        "select number, market, currency, state from customer_order where customer_id = :customer_id and order_id = :order_id",
        customer_id=customer_id,
        order_id=order_id,
    )
    if order is None or order["state"] not in ("open", "unpaid"):
        return order is not None and order["state"] == "paid"
    paid = PaidOrder(
        customer_id=customer_id,
        order_id=order_id,
        number=order["number"],
        market=order["market"],
        currency=order["currency"],
    )
    lines = rows(connection, LINES, customer_id=customer_id, order_id=order_id)
    if order["state"] == "unpaid" and not _reserved_anew(connection, paid.market, lines):
        return False
    is_first = changed(
        connection,
        """
        update customer_order set state = 'paid', reserved_until = null
        where customer_id = :customer_id and order_id = :order_id and state = :state
        """,
        customer_id=customer_id,
        order_id=order_id,
        state=order["state"],
    )
    if is_first:
        _make_parts(connection, paid, lines, at)
        issue_confirmation(connection, customer_id, order_id, at=at)
        mail_paid_order(connection, customer_id, order_id)
        request_activations(connection, customer_id, order_id, at=at)
    return True


def release_unpaid(engine: Engine, *, now: datetime, has_ended: Callable[[str, str], bool]) -> int:
    """Give back the units of orders whose time to pay is over, and return how many orders that were.

    `has_ended(customer_id, order_id)` tells that no money can come for one any more; until it does, its units wait.
    The orders stay: they can be opened again. A provider that does not answer ends the round; orders that nobody began to pay
    need no answer and come first.
    """
    at = clock.to_text(now)
    query = """
        select customer_id, order_id from customer_order
        where state = 'open' and reserved_until < :at
        order by exists (
          select 1 from payment
          where payment.customer_id = customer_order.customer_id and payment.order_id = customer_order.order_id
            and payment.state in ('opening', 'open')
        ), reserved_until
        limit :most
    """
    with reading(engine) as connection:
        late = rows(connection, query, at=at, most=MOST_RELEASED)
    released = 0
    for order in late:
        try:
            is_over = has_ended(order["customer_id"], order["order_id"])
        except (NoProvider, ProviderDown):
            break
        if is_over:
            released += run_tx(engine, partial(release, **order, before=at))
    return released


def release(connection: Connection, customer_id: str, order_id: str, *, before: str) -> bool:
    """Give back the units of an open order whose time to pay was over at `before` (UTC text); False where that is not so."""
    key = {"customer_id": customer_id, "order_id": order_id}
    closed = changed(
        connection,
        """
        update customer_order set state = 'unpaid', reserved_until = null
        where customer_id = :customer_id and order_id = :order_id and state = 'open' and reserved_until <= :before
        """,
        **key,
        before=before,
    )
    if not closed:
        return False
    found = row(connection, "select market from customer_order where customer_id = :customer_id and order_id = :order_id", **key)
    stock.release(connection, found["market"] if found else "", rows(connection, LINES, **key))
    mail_customer(connection, customer_id, order_id, "order_unpaid", unique=before)
    return True


def keep_reserved(connection: Connection, customer_id: str, order_id: str, *, until: str) -> None:
    """Hold the units of an order to pay until then (UTC text); one whose units were given back reserves them anew.

    Raises: LinesGone.
    """
    key = {"customer_id": customer_id, "order_id": order_id}
    query = "select market, state from customer_order where customer_id = :customer_id and order_id = :order_id"
    found = row(connection, query, **key)
    if found is not None and found["state"] == "unpaid":
        stock.reserve(connection, found["market"], rows(connection, LINES, **key))
    changed(
        connection,
        """
        update customer_order set state = 'open', reserved_until = :until
        where customer_id = :customer_id and order_id = :order_id and state in ('open', 'unpaid')
        """,
        **key,
        until=until,
    )
    remind_before(connection, **key, until=until)


def next_number(connection: Connection, seller_id: int, name: str) -> int:
    """Return the next number of a seller's own series, gapless from 1, in the caller's transaction."""
    query = """
        insert into seller_counter (seller_id, name, value) values (:seller_id, :name, 1)
        on conflict (seller_id, name) do update set value = seller_counter.value + 1
        returning value
    """
    found = row(connection, query, seller_id=seller_id, name=name)
    return int(found["value"]) if found else 0


def note_change(connection: Connection, seller_id: int, part_id: str) -> None:
    """Let whoever asks what is new at this seller find the part."""
    changed(
        connection,
        "update part set changed_no = :changed_no where seller_id = :seller_id and part_id = :part_id",
        changed_no=next_number(connection, seller_id, CHANGES),
        seller_id=seller_id,
        part_id=part_id,
    )


def make_part(connection: Connection, paid: PaidOrder, place: int, units: list[dict[str, Any]], *, at: str, by: str) -> str:
    """Give a seller the `place`th part of a paid order, with these units to accept (rows without their part); return its id.

    `by` is who makes it, for the units' first step.
    """
    part_id, seller_id = new_id(), units[0]["seller_id"]
    part = {
        "seller_id": seller_id,
        "part_id": part_id,
        "customer_id": paid.customer_id,
        "order_id": paid.order_id,
        "number": f"{paid.number}-{place}",
        "market": paid.market,
        "currency": paid.currency,
        "paid_at": at,
        "accept_by": clock.to_text(clock.from_text(at) + ACCEPT_WITHIN),
        "changed_no": next_number(connection, seller_id, CHANGES),
    }
    connection.execute(tables.part.insert(), part)
    empty = dict.fromkeys(("imei", "serial", "carrier", "tracking", "shipped_at", "arrives_by", "delivered_at"))
    fresh = {**empty, "part_id": part_id, "customer_id": paid.customer_id, "order_id": paid.order_id, "market": paid.market}
    fresh |= {"currency": paid.currency, "state": "to_accept", "refunded_cents": 0, "moved_cents": 0, "since": at}
    connection.execute(tables.unit.insert(), [{**unit, **fresh} for unit in units])
    first = {"part_id": part_id, "step_no": 1, "state": "to_accept", "at": at, "by": by, "why": "", "cents": None}
    key = ("seller_id", "line_no", "unit_no")
    connection.execute(tables.unit_step.insert(), [{name: unit[name] for name in key} | first for unit in units])
    mail_new_part(connection, seller_id, part_id)
    return part_id


def _reserved_anew(connection: Connection, market: str, lines: list[dict[str, Any]]) -> bool:
    aside = connection.begin_nested()
    try:
        stock.reserve(connection, market, lines)
    except stock.LinesGone:
        aside.rollback()
        return False
    aside.commit()
    return True


def _make_parts(connection: Connection, paid: PaidOrder, lines: Iterable[dict[str, Any]], at: str) -> None:
    for place, (_, of_seller) in enumerate(groupby(lines, lambda line: line["seller_id"]), start=1):
        units = [unit for line in of_seller for unit in _units_of(line)]
        make_part(connection, paid, place, units, at=at, by="customer")


def _units_of(line: dict[str, Any]) -> list[dict[str, Any]]:
    shared = ("seller_id", "line_no", "listing_id", "sku_id", "grade_id", "owed_cents", "collected_cents", "tax_cents")
    unit = {name: line[name] for name in (*shared, "partner_id", "vat_margin", "delivery_days")} | {"agreed": None}
    return [{**unit, "unit_no": unit_no} for unit_no in range(1, line["quantity"] + 1)]
