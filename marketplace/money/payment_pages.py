"""`POST /orders/<id>/payment` leads to the provider's page, that back to `/payments/<payment>/return` and this to the order;
`/payments/events` hears of it, `/console/payments` shows all.

Invariant: the provider never learns an order's address, which is its access. Which order a customer comes back to is told by a
cookie of their own browser, sent to that one address alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from marketplace.db import reading, row, rows, run_tx
from marketplace.money.payments import BACK, PRICES_KEPT, NothingToPay, open_payment, take_event
from marketplace.money.provider import provider
from marketplace.money.refunds import retry_refund
from marketplace.web import marketplace, see_other
from pos import clock
from shop import web
from shop.web import render_template

payments = Blueprint("payments", __name__)
pages = Blueprint("payments", __name__, url_prefix="/payments")
MOST_ROWS = 200
COOKIE = "comptoir_paying"


@dataclass(frozen=True, slots=True)
class PaymentsPage:
    """The refunds that did not arrive, and the newest payments with their order's number."""

    failed: list[dict[str, Any]]
    payments: list[dict[str, Any]]


@payments.post("/orders/<order_id>/payment")
def pay(order_id: str) -> Response:
    """Lead to the provider's page where the order is paid; to its own page where nothing is to be paid."""
    try:
        return lead_to_payment(order_id)
    except NothingToPay:
        return see_other("orders.page", order_id=order_id)


def lead_to_payment(order_id: str) -> Response:
    """Lead to the provider's page of an order. Raises: as `open_payment`, and Unavailable where too many ask at once."""
    served = marketplace()
    with served.payment_room.admitted():
        opened = open_payment(served.engine, order_id, public_url=served.public_url, now=clock.now())
    response = web.see_other(opened.url)
    back, is_secure = BACK.format(payment_id=opened.payment_id), urlsplit(served.public_url).scheme == "https"
    life_s = int(PRICES_KEPT.total_seconds())
    response.set_cookie(COOKIE, order_id, max_age=life_s, path=back, httponly=True, samesite="Lax", secure=is_secure)
    return response


@payments.get("/payments/<payment_id>/return")
def come_back(payment_id: str) -> Response:
    """Lead whoever went to pay from this browser to their order, anybody else to where orders are asked for by e-mail."""
    values = {"payment_id": payment_id, "order_id": request.cookies.get(COOKIE, "")}
    with reading(marketplace().engine) as connection:
        found = row(connection, "select 1 as one from payment where payment_id = :payment_id and order_id = :order_id", **values)
    if found is None:
        return see_other("sign_ins.my_orders")
    return see_other("orders.page", order_id=values["order_id"])


@payments.post("/payments/events")
def take() -> Response:
    """Keep an event that the provider signed, and look at its payment; answered 204 once it is stored. Raises: UnsignedEvent."""
    body, signature = request.get_data(), request.headers.get("Stripe-Signature", "")
    with reading(marketplace().engine) as connection:
        said = provider(connection).event(body, signature)

    def work(connection: Connection) -> None:
        at = clock.to_text(clock.now())
        facts = {"payment_id": said.payment_id, "intent_id": said.intent_id}
        take_event(connection, event_id=said.event_id, kind=said.kind, at=at, **facts)

    run_tx(marketplace().engine, work)
    return Response(status=204)


@pages.get("")
def listing() -> str:
    """Show the newest payments, and the refunds that did not arrive."""
    with reading(marketplace().engine) as connection:
        page = PaymentsPage(_failed_refunds(connection), _newest(connection))
    return render_template("marketplace/money/payments.html", page=page)


@pages.post("/refunds/<customer_id>/<refund_id>/retry")
def retry(customer_id: str, refund_id: str) -> Response:
    """Send a refund that failed once more. Raises: RefundMoved."""
    run_tx(marketplace().engine, lambda connection: retry_refund(connection, customer_id, refund_id))
    return see_other("console.payments.listing")


def _failed_refunds(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        """
        select refund.customer_id, refund.refund_id, refund.currency, refund.amount_cents, refund.problem, refund.reason,
          refund.requested_at, customer_order.number
        from refund
        join customer_order
          on customer_order.customer_id = refund.customer_id and customer_order.order_id = refund.order_id
        where refund.state = 'failed' order by refund.requested_at limit :most
        """,
        most=MOST_ROWS,
    )


def _newest(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        """
        select payment.payment_id, payment.state, payment.currency, payment.amount_cents, payment.refunded_cents, payment.dispute,
          payment.opened_at, customer_order.number
        from payment
        join customer_order
          on customer_order.customer_id = payment.customer_id and customer_order.order_id = payment.order_id
        order by payment.opened_at desc, payment.payment_id limit :most
        """,
        most=MOST_ROWS,
    )
