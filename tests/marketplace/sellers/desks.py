"""People of a seller in front of its desk, and orders that were paid for it."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import run_tx
from marketplace.orders.parts import amount_cents, mark_paid
from marketplace.sellers.people import invite
from pos import clock
from pos.tokens import TokenLine
from tests.marketplace.hq import Hq

PASSWORD = "quai de la fosse"


def desk(hq: Hq, seller_id: int, role: str = "owner") -> FlaskClient:
    """Return the browser of somebody new at a seller's desk, signed in."""
    email = f"{role}-{seller_id}@vendeur.example"
    _, secret = run_tx(hq.engine, lambda connection: invite(connection, seller_id, email, role, now=clock.now()))
    browser = hq.app.test_client()
    assert browser.post(f"/seller/password/{seller_id}/{secret}", data={"password": PASSWORD}).status_code == 303
    assert browser.post("/seller/login", data={"email": email, "password": PASSWORD}).location == "/seller"
    return browser


def paid_part(hq: Hq, *lines: TokenLine, seller_id: int = 1, counter: int = 1) -> dict[str, Any]:
    """Place an order for these lines, note its money, and return this seller's part of it."""
    order_id = hq.claim(hq.digits(*lines, counter=counter)).location.rpartition("/")[2]
    [placed] = hq.rows("select * from customer_order where order_id = :order_id", order_id=order_id)
    at = clock.to_text(clock.now())

    def pay(connection: Connection) -> bool:
        connection.execute(tables.payment.insert(), payment_of(placed, amount_cents(connection, placed["customer_id"], order_id)))
        return mark_paid(connection, placed["customer_id"], order_id, at=at)

    assert run_tx(hq.engine, pay)
    query = "select * from part where order_id = :order_id and seller_id = :seller_id"
    [part] = hq.rows(query, order_id=order_id, seller_id=seller_id)
    return part


def payment_of(placed: dict[str, Any], cents: int) -> dict[str, Any]:
    """Return the row of a payment that was received."""
    return {
        "customer_id": placed["customer_id"], "payment_id": f"payment of {placed['order_id']}", "order_id": placed["order_id"],
        "attempt": 1, "state": "paid", "currency": placed["currency"], "amount_cents": cents, "received_cents": cents,
        "refunded_cents": 0, "back_url": "", "session_id": "s", "intent_id": "i", "url": None, "opened_at": placed["placed_at"],
        "expires_at": placed["placed_at"], "paid_at": placed["placed_at"], "checked_at": None, "dispute": "",
    }  # fmt: skip


def units_of(hq: Hq, part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the units of a part."""
    query = "select * from unit where part_id = :part_id order by line_no, unit_no"
    return hq.rows(query, part_id=part["part_id"])


def names_of(hq: Hq, part: dict[str, Any]) -> list[str]:
    """Return the units of a part as forms name them."""
    return [f"{unit['part_id']}:{unit['line_no']}:{unit['unit_no']}" for unit in units_of(hq, part)]
