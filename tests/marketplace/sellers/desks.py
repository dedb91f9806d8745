"""People of a seller in front of its desk, and orders that were paid for it."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from marketplace.db import run_tx
from marketplace.sellers.people import invite
from pos import clock
from pos.tokens import TokenLine
from tests.marketplace.hq import Hq
from tests.marketplace.money.paying import money_arrives

PASSWORD = "quai de la fosse"


def desk(hq: Hq, seller_id: int, role: str = "owner") -> FlaskClient:
    """Return the browser of somebody new at a seller's desk, signed in."""
    email = f"{role}-{seller_id}@vendeur.example"
    _, secret = run_tx(hq.engine, lambda connection: invite(connection, seller_id, email, role, now=clock.now()))
    browser = hq.app.test_client()
    assert browser.post(f"/seller/password/{seller_id}/{secret}", data={"password": PASSWORD}).status_code == 303
    assert browser.post("/seller/login", data={"email": email, "password": PASSWORD}).location == "/seller"
    return browser


def paid_part(hq: Hq, *lines: TokenLine, seller_id: int = 1, counter: int = 1, **form: str) -> dict[str, Any]:
    """Place an order for these lines, note its money, and return this seller's part of it."""
    order_id = hq.claim(hq.digits(*lines, counter=counter), **form).location.rpartition("/")[2]
    assert money_arrives(hq, order_id) == "paid"
    query = "select * from part where order_id = :order_id and seller_id = :seller_id"
    [part] = hq.rows(query, order_id=order_id, seller_id=seller_id)
    return part


def units_of(hq: Hq, part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the units of a part."""
    query = "select * from unit where part_id = :part_id order by line_no, unit_no"
    return hq.rows(query, part_id=part["part_id"])


def names_of(hq: Hq, part: dict[str, Any]) -> list[str]:
    """Return the units of a part as forms name them."""
    return [f"{unit['part_id']}:{unit['line_no']}:{unit['unit_no']}" for unit in units_of(hq, part)]
