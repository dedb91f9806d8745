"""What customers and sellers' people are told of orders by mail, each thing once, in the language they ordered or applied in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypedDict

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.money.accounts import of_seller
from marketplace.orders.cases import UnitCase, case_name
from marketplace.orders.order_lines import OrderLine
from marketplace.orders.orders import OrderFacts
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


def mail_placed_order(connection: Connection, placed: Mapping[str, Any], agreed: OrderFacts) -> bool:
    """Enqueue the confirmation of an order just placed, in the transaction that places it; tell whether it is new.

    `placed` are the columns of its row, `agreed` the facts in it.
    """
    facts = {name: placed[name] for name in ("number", "currency", "placed_at", "reserved_until")} | {
        "path": f"/orders/{placed['order_id']}",
        "zone": agreed["time_zone"],
        "totals": json.loads(placed["totals"]),
        "lines": [_mailed(line) for line in agreed["lines"] if line["basis"] != "dropped"],
    }
    to, language, owner_id = placed["email"], placed["language"], placed["customer_id"]
    # A customer is made for each order: the name of this mail need not hold the order's secret.
    return send_mail(connection, "order_placed", to=to, language=language, facts=facts, owner_id=owner_id, unique="1")


def mail_substitution(connection: Connection, customer_id: str, order_id: str, *, unit: str, title: str, taken: bool) -> None:
    """Tell a customer that a seller gave a unit up and what takes its place, or ask, in the caller's transaction.

    `unit` is the unit's name, `title` the device that stands in.
    """
    query = "select number, language, email from customer_order where customer_id = :customer_id and order_id = :order_id"
    order = row(connection, query, customer_id=customer_id, order_id=order_id) or {}
    facts = {"number": order["number"], "path": f"/orders/{order_id}", "title": title}
    template = "substitute_taken" if taken else "substitute_offered"
    to, language = order["email"], order["language"]
    send_mail(connection, template, to=to, language=language, facts=facts, owner_id=customer_id, unique=unit)


def mail_reminder(connection: Connection, seller_id: int, part_id: str) -> None:
    """Enqueue to a seller's people who may accept it that a part still waits, in the caller's transaction."""
    part = row(
        connection,
        "select number, accept_by from part where seller_id = :seller_id and part_id = :part_id",
        seller_id=seller_id,
        part_id=part_id,
    )
    facts = {**(part or {}), "path": f"/seller/orders/{part_id}", "zone": clock.HOME_ZONE}
    for person in _people(connection, seller_id):
        to, language, unique = person["email"], person["language"], f"{part_id}:{person['user_id']}"
        send_mail(connection, "units_wait", to=to, language=language, facts=facts, owner_id=of_seller(seller_id), unique=unique)


def mail_withdrawal(
    connection: Connection, customer_id: str, order_id: str, withdrawal_no: int, statement: Mapping[str, object]
) -> None:
    """Enqueue the acknowledgement of a withdrawal, with all that was declared, in the transaction that records it."""
    query = "select language, email from customer_order where customer_id = :customer_id and order_id = :order_id"
    placed = row(connection, query, customer_id=customer_id, order_id=order_id) or {}
    to, language, unique = placed["email"], placed["language"], str(withdrawal_no)
    facts = {"statement": statement, "path": f"/orders/{order_id}/withdrawals/{withdrawal_no}"}
    facts["withdrawal_path"] = f"/orders/{order_id}/withdrawal"
    send_mail(connection, "withdrawal", to=to, language=language, facts=facts, owner_id=customer_id, unique=unique)


def mail_case_opened(connection: Connection, case: UnitCase) -> None:
    """Enqueue to the people of a seller that a unit comes back or is claimed for, in the transaction that opens the case."""
    query = "select number from part where seller_id = :seller_id and part_id = :part_id"
    part = row(connection, query, seller_id=case["seller_id"], part_id=case["part_id"]) or {}
    facts = {"number": part["number"], "ground": case["ground"], "due_at": case["due_at"], "path": "/seller/returns"}
    facts["zone"] = clock.HOME_ZONE
    for person in _people(connection, case["seller_id"]):
        to, language, unique = person["email"], person["language"], f"{case_name(case)}:{person['user_id']}"
        owner_id = of_seller(case["seller_id"])
        send_mail(connection, "case_opened", to=to, language=language, facts=facts, owner_id=owner_id, unique=unique)


def mail_case_moved(connection: Connection, case: UnitCase, why: str) -> None:
    """Enqueue to the customer what became of a case, in the transaction that moved it there."""
    query = """
        select number, currency, language, email from customer_order
        where customer_id = :customer_id and order_id = :order_id
    """
    placed = row(connection, query, customer_id=case["customer_id"], order_id=case["order_id"]) or {}
    told = {"state": case["state"], "remedy": case["remedy"], "cents": case["cents"], "why": why}
    path = f"/orders/{case['order_id']}"
    facts = {**told, "number": placed["number"], "currency": placed["currency"], "path": path}
    facts["label_path"] = f"{path}/returns/{case_name(case)}/label.pdf"
    to, language, unique = placed["email"], placed["language"], f"{case_name(case)}:{case['state']}"
    send_mail(connection, "case_moved", to=to, language=language, facts=facts, owner_id=case["customer_id"], unique=unique)


def mail_message(connection: Connection, seller_id: int, part_id: str, message_no: int, *, to_seller: bool) -> None:
    """Enqueue to the other side of a part that a message waits there, in the transaction that writes it."""
    query = """
        select part.number, part.order_id, part.customer_id, customer_order.email, customer_order.language
        from part
        join customer_order on customer_order.customer_id = part.customer_id and customer_order.order_id = part.order_id
        where part.seller_id = :seller_id and part.part_id = :part_id
    """
    part = row(connection, query, seller_id=seller_id, part_id=part_id) or {}
    path = f"/seller/orders/{part_id}" if to_seller else f"/orders/{part['order_id']}"
    facts = {"number": part["number"], "path": path, "to_seller": to_seller}
    readers = _people(connection, seller_id) if to_seller else [{**part, "user_id": "customer"}]
    owner_id = of_seller(seller_id) if to_seller else part["customer_id"]
    for reader in readers:
        to, language, unique = reader["email"], reader["language"], f"{part_id}:{message_no}:{reader['user_id']}"
        send_mail(connection, "message", to=to, language=language, facts=facts, owner_id=owner_id, unique=unique)


def _people(connection: Connection, seller_id: int) -> list[dict[str, Any]]:
    """Return those of a seller who may act on an order, with the language they applied in."""
    people = """
        select seller_user.user_id, seller_user.email, coalesce(seller_application.language, 'fr') as language
        from seller_user
        left join seller_application on seller_application.seller_id = seller_user.seller_id
        where seller_user.seller_id = :seller_id and removed_at is null and role in ('owner', 'shipping')
        order by seller_user.user_id
    """
    return rows(connection, people, seller_id=seller_id)


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
