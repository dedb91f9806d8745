"""What customers are told of their orders by mail, each thing once, in the language they ordered in."""

from __future__ import annotations

import json
from typing import TypedDict

from sqlalchemy import Connection

from marketplace.db import row
from marketplace.orders.order_lines import OrderLine
from marketplace.running.mail import send_mail
from pos import clock
from pos.bodies import Names


class MailedLine(TypedDict):
    """A line as a mail names it; a plan or options alone have no title."""

    title: str | None
    storage_gb: int | None
    color: Names | None
    grade: Names | None
    plan: Names | None
    options: list[Names]
    quantity: int


def mail_placed_order(connection: Connection, customer_id: str, order_id: str) -> bool:
    """Enqueue the confirmation of an order just placed, in the transaction that places it; tell whether it is new."""
    query = """
        select number, currency, language, email, facts, totals, placed_at, reserved_until from customer_order
        where customer_id = :customer_id and order_id = :order_id
    """
    placed = row(connection, query, customer_id=customer_id, order_id=order_id) or {}
    agreed = json.loads(placed["facts"])
    facts = {name: placed[name] for name in ("number", "currency", "placed_at", "reserved_until")} | {
        "path": f"/orders/{order_id}",
        "zone": agreed.get("time_zone", clock.HOME_ZONE),
        "totals": json.loads(placed["totals"]),
        "lines": [_mailed(line) for line in agreed["lines"] if line["basis"] != "dropped"],
    }
    to, language = placed["email"], placed["language"]
    # A customer is made for each order: the name of this mail need not hold the order's secret.
    return send_mail(connection, "order_placed", to=to, language=language, facts=facts, owner_id=customer_id, unique="1")


def _mailed(line: OrderLine) -> MailedLine:
    listing, plan = line["listing"], line["plan"]
    return {
        "title": listing["title"] if listing else None,
        "storage_gb": listing["storage_gb"] if listing else None,
        "color": listing["color"] if listing else None,
        "grade": listing["grade"] if listing else None,
        "plan": plan["name"] if plan else None,
        "options": [option["name"] for option in line["options"]],
        "quantity": line["quantity"],
    }
