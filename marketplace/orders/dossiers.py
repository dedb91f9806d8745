"""Everything HQ sees of one order: whom it is for, what was agreed, every step of its units, its money and its mails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.money.accounts import of_order, of_seller, of_unit
from marketplace.orders.activations import Activation, activations_of
from marketplace.orders.care import ShownCase, shown_cases
from marketplace.orders.cases import cases_of_order
from marketplace.orders.messages import PartMessage, messages_of_order
from marketplace.orders.orders import Order, order
from marketplace.orders.timeline import PartOfOrder, UnitOfOrder, parts_of_order
from marketplace.orders.units import refundable_cents
from marketplace.running.mail import mail_log
from marketplace.sellers.fulfilment import REFUNDED
from pos.errors import NotFound

PAYMENTS = """
    select payment_id, attempt, state, currency, amount_cents, received_cents, refunded_cents, dispute, opened_at, paid_at
    from payment where customer_id = :customer_id and order_id = :order_id order by attempt
"""
REFUNDS = """
    select refund_id, payment_id, currency, amount_cents, reason, state, problem, requested_at, settled_at
    from refund where customer_id = :customer_id and order_id = :order_id order by requested_at, refund_id
"""
ENTRIES = """
    select entry.kind, entry.at, posting.account, posting.currency, posting.amount_cents
    from entry
    join posting on posting.owner_id = entry.owner_id and posting.entry_id = entry.entry_id
    where entry.owner_id = :owner_id and entry.subject = :subject
    order by entry.at, entry.entry_id, posting.posting_no
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyOfOrder:
    """Payments with their disputes, refunds, and the lines that the ledger holds of the order and its units."""

    payments: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    postings: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """An order as HQ sees it; `address` is whom the parcels go to, `mails` what the customer was told,
    `messages` what they and the sellers wrote, `activations` its plans at their carriers,
    `cases` what comes or came back or was claimed for."""

    order: Order
    address: str
    parts: list[PartOfOrder]
    money: MoneyOfOrder
    mails: list[dict[str, Any]]
    messages: list[PartMessage]
    activations: list[Activation]
    cases: list[ShownCase]

    def units_in(self, *states: str) -> list[UnitOfOrder]:
        """Return the units in one of these states."""
        return [unit for part in self.parts for unit in part.units if unit.unit["state"] in states]

    @property
    def refundable(self) -> list[UnitOfOrder]:
        """The units that were sent and of whose money something is left."""
        return [each for each in self.units_in(*REFUNDED) if refundable_cents(each.unit)]


def order_of_customer(connection: Connection, customer_id: str, number: str) -> Order:
    """Return the order that a customer placed under a number. Raises: NotFound."""
    query = "select order_id from customer_order where customer_id = :customer_id and number = :number"
    found = row(connection, query, customer_id=customer_id, number=number)
    if found is None:
        raise NotFound("no such order")
    return order(connection, found["order_id"])


def dossier(connection: Connection, customer_id: str, number: str) -> Dossier:
    """Return all that HQ sees of an order. Raises: NotFound."""
    placed = order_of_customer(connection, customer_id, number)
    key = {"customer_id": customer_id, "order_id": placed["order_id"]}
    address = row(
        connection, "select address from customer_order where customer_id = :customer_id and order_id = :order_id", **key
    )
    parts = parts_of_order(connection, placed)
    money = MoneyOfOrder(
        payments=rows(connection, PAYMENTS, **key),
        refunds=rows(connection, REFUNDS, **key),
        postings=_postings(connection, placed, parts),
    )
    return Dossier(
        order=placed,
        address=cast(str, address["address"]) if address else "",
        parts=parts,
        money=money,
        mails=mail_log(connection, customer_id),
        messages=messages_of_order(connection, placed["order_id"]),
        activations=activations_of(connection, placed["order_id"]),
        cases=shown_cases(connection, cases_of_order(connection, placed["order_id"]), parts),
    )


def _postings(connection: Connection, placed: Order, parts: Sequence[PartOfOrder]) -> list[dict[str, Any]]:
    """Return what the ledger holds of an order's money and of each of its units, the oldest first."""
    postings = rows(connection, ENTRIES, owner_id=placed["customer_id"], subject=of_order(placed["order_id"]))
    for unit in (each.unit for part in parts for each in part.units):
        subject = of_unit(unit["part_id"], unit["line_no"], unit["unit_no"])
        postings += rows(connection, ENTRIES, owner_id=of_seller(unit["seller_id"]), subject=subject)
    return sorted(postings, key=lambda line: line["at"])
