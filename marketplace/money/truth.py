"""What the provider says of a payment, written down and booked: money in, money back, disputes, its fees, in one transaction.

Invariant: an answer may come in any order and any number of times; a payment's money is booked once, and pays one order once or
goes back at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

from sqlalchemy import Connection

from marketplace.db import changed, row
from marketplace.money.provider import DisputeFacts, PaymentFacts
from marketplace.money.provider_fees import take_fees
from marketplace.money.refunds import refund_payment, take_facts
from marketplace.money.sales import OrderMoney, booked_of_dispute, post_dispute, post_received, post_unused
from marketplace.orders import parts
from pos.errors import NotFound

LATE = "the money came too late or twice"
"""Why money goes back that no unit waits for, in its refund."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment as it is stored; times are UTC texts."""

    customer_id: str
    payment_id: str
    order_id: str
    state: str
    currency: str
    amount_cents: int
    received_cents: int
    refunded_cents: int
    back_url: str
    session_id: str | None
    url: str | None
    expires_at: str
    dispute: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Payment:
        """Return a payment from its row."""
        return cls(**{field.name: found[field.name] for field in fields(cls)})


def payment_of(connection: Connection, customer_id: str, payment_id: str) -> Payment:
    """Return a customer's payment. Raises: NotFound."""
    query = "select * from payment where customer_id = :customer_id and payment_id = :payment_id"
    found = row(connection, query, customer_id=customer_id, payment_id=payment_id)
    if found is None:
        raise NotFound("no such payment")
    return Payment.of(found)


def take_truth(connection: Connection, customer_id: str, payment_id: str, truth: PaymentFacts, *, at: str) -> str:
    """Write down what the provider says of a payment at `at` (UTC text) and return its state; in the caller's transaction."""
    payment = payment_of(connection, customer_id, payment_id)
    key = {"customer_id": customer_id, "payment_id": payment_id}
    changed(
        connection,
        """
        update payment set checked_at = :at, fees_at = :at, intent_id = coalesce(:intent_id, intent_id)
        where customer_id = :customer_id and payment_id = :payment_id
        """,
        **key,
        at=at,
        intent_id=truth.intent_id,
    )
    if truth.received_cents:
        update = """
            update payment set state = 'paid', received_cents = :received_cents, paid_at = :at
            where customer_id = :customer_id and payment_id = :payment_id and received_cents = 0
        """
        if changed(connection, update, **key, received_cents=truth.received_cents, at=at):
            _receive(connection, payment, truth.received_cents, at)
    elif truth.session == "expired":
        update = """
            update payment set state = 'expired'
            where customer_id = :customer_id and payment_id = :payment_id and state in ('opening', 'open')
        """
        if changed(connection, update, **key):
            parts.release(connection, customer_id, payment.order_id, before=at)
    take_facts(connection, customer_id, payment_id, truth.refunds, at=at)
    for dispute in truth.disputes:
        _take_dispute(connection, payment, dispute, at)
    if truth.received_cents:
        take_fees(connection, payment_id, _money(payment, payment_id, 0, at), truth.fees_told)
    return payment_of(connection, customer_id, payment_id).state


def _receive(connection: Connection, payment: Payment, cents: int, at: str) -> None:
    """Book money that came, and pay the order with it; what no unit waits for goes back at once."""
    post_received(connection, _money(payment, payment.payment_id, cents, at))
    key = {"customer_id": payment.customer_id, "order_id": payment.order_id}
    other = row(
        connection,
        """
        select 1 as one from payment
        where customer_id = :customer_id and order_id = :order_id and state = 'paid' and payment_id <> :payment_id
        """,
        **key,
        payment_id=payment.payment_id,
    )
    is_wanted = other is None and cents == parts.amount_cents(connection, **key)
    if is_wanted and parts.mark_paid(connection, **key, at=at):
        return
    update = "update payment set state = 'returned' where customer_id = :customer_id and payment_id = :payment_id"
    changed(connection, update, customer_id=payment.customer_id, payment_id=payment.payment_id)
    post_unused(connection, _money(payment, payment.payment_id, cents, at))
    refund_payment(connection, payment.customer_id, payment.payment_id, cents=cents, unit=None, reason=LATE, at=at)


def _take_dispute(connection: Connection, payment: Payment, dispute: DisputeFacts, at: str) -> None:
    """Book a dispute and, once, its end; a warning moves no money, and one that was prevented is won where it had taken some."""
    money = _money(payment, dispute.dispute_id, dispute.cents, at)
    booked = booked_of_dispute(connection, money)
    if dispute.state == "warned" or booked & {"won", "lost"} or (dispute.state == "prevented" and not booked):
        return
    state = "won" if dispute.state == "prevented" else dispute.state
    post_dispute(connection, money, "opened")
    if state != "open":
        post_dispute(connection, money, cast(Literal["won", "lost"], state))
    changed(
        connection,
        "update payment set dispute = :state where customer_id = :customer_id and payment_id = :payment_id",
        state=state,
        customer_id=payment.customer_id,
        payment_id=payment.payment_id,
    )


def _money(payment: Payment, reference: str, cents: int, at: str) -> OrderMoney:
    return OrderMoney(
        customer_id=payment.customer_id,
        order_id=payment.order_id,
        reference=reference,
        currency=payment.currency,
        cents=cents,
        at=at,
    )
