"""What customers and sellers' people are told by mail at each step of an order: in the step's transaction, each thing once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

from sqlalchemy import Connection

from marketplace.db import reading, row, rows, run_tx
from marketplace.money.accounts import of_seller
from marketplace.orders.order_lines import OrderedListing, agreed_listing
from marketplace.running.jobs import Work, enqueue
from marketplace.running.mail import PaperName, send_mail
from pos import clock

REMINDER = "payment_reminder"
REMINDED_BEFORE = timedelta(minutes=10)


class MailedUnit(TypedDict):
    """What a mail tells a unit by."""

    seller_id: int
    part_id: str
    line_no: int
    unit_no: int
    customer_id: str
    order_id: str
    agreed: str | None


def mail_customer(
    connection: Connection,
    customer_id: str,
    order_id: str,
    template: str,
    *,
    unique: str,
    facts: Mapping[str, object] | None = None,
    papers: Sequence[PaperName] = (),
) -> bool:
    """Enqueue a mail to the customer of an order in the caller's transaction; tell whether it is new.

    Its template sees the order's `number`, `currency`, `zone` and `path` beside `facts`. There is one of a template and `unique`.
    """
    query = """
        select number, currency, language, email, facts from customer_order
        where customer_id = :customer_id and order_id = :order_id
    """
    placed = row(connection, query, customer_id=customer_id, order_id=order_id)
    if placed is None:
        return False
    zone = json.loads(placed["facts"]).get("time_zone", clock.HOME_ZONE)
    told = {"number": placed["number"], "currency": placed["currency"], "zone": zone, "path": f"/orders/{order_id}"}
    return send_mail(
        connection,
        template,
        to=placed["email"],
        language=placed["language"],
        facts={**told, **(facts or {})},
        owner_id=customer_id,
        unique=unique,
        papers=papers,
    )


def mail_sellers_people(
    connection: Connection, seller_id: int, template: str, *, unique: str, facts: Mapping[str, object], roles: Sequence[str]
) -> None:
    """Enqueue a mail to everybody at a seller who has one of these roles, in the language they applied in."""
    query = """
        select seller_user.user_id, seller_user.email, seller_user.role,
          coalesce(seller_application.language, 'fr') as language
        from seller_user
        left join seller_application on seller_application.seller_id = seller_user.seller_id
        where seller_user.seller_id = :seller_id and seller_user.removed_at is null
        order by seller_user.user_id
    """
    told = {"zone": clock.HOME_ZONE, **facts}
    for person in rows(connection, query, seller_id=seller_id):
        if person["role"] in roles:
            to, language, name = person["email"], person["language"], f"{unique}:{person['user_id']}"
            send_mail(connection, template, to=to, language=language, facts=told, owner_id=of_seller(seller_id), unique=name)


def mail_paid_order(connection: Connection, customer_id: str, order_id: str) -> None:
    """Tell a customer that the money is there, with the confirmation of the order."""
    papers: list[PaperName] = [{"kind": "confirmation", "owner": customer_id, "name": order_id}]
    mail_customer(connection, customer_id, order_id, "order_paid", unique="1", papers=papers)


def mail_new_part(connection: Connection, seller_id: int, part_id: str) -> None:
    """Tell a seller's people that an order is theirs to accept."""
    query = "select number, accept_by from part where seller_id = :seller_id and part_id = :part_id"
    part = row(connection, query, seller_id=seller_id, part_id=part_id) or {}
    facts = {**part, "path": f"/seller/orders/{part_id}"}
    roles = ("owner", "shipping")
    mail_sellers_people(connection, seller_id, "order_to_accept", unique=part_id, facts=facts, roles=roles)


def mail_step(
    connection: Connection,
    template: str,
    units: Sequence[MailedUnit],
    *,
    facts: Mapping[str, object] | None = None,
    papers: Mapping[str, Sequence[PaperName]] | None = None,
) -> None:
    """Tell the customer what was done with units, of each part in one mail, with its `papers`; a unit takes a step once."""
    parts: dict[str, list[MailedUnit]] = {}
    for unit in units:
        parts.setdefault(unit["part_id"], []).append(unit)
    for part_id, of_part in parts.items():
        first = of_part[0]
        whose = {"customer_id": first["customer_id"], "order_id": first["order_id"]}
        query = "select facts from customer_order where customer_id = :customer_id and order_id = :order_id"
        lines = json.loads((row(connection, query, **whose) or {})["facts"])["lines"]
        listings = [agreed_listing(lines, {"line_no": unit["line_no"], "agreed": unit["agreed"]}) for unit in of_part]
        told = {**(facts or {}), "lines": [_mailed(listing) for listing in listings], "seller": listings[0]["seller"]["name"]}
        unique, attached = f"{part_id}/{first['line_no']}/{first['unit_no']}", (papers or {}).get(part_id, ())
        mail_customer(connection, **whose, template=template, unique=unique, facts=told, papers=attached)


def mail_refund(connection: Connection, customer_id: str, order_id: str, refund_id: str, *, cents: int, key: str) -> None:
    """Tell a customer that a refund left, with its credit note, none of what was never invoiced; `key` names the attempt."""
    query = """
        select invoice.seller_id, invoice.number from refund
        join invoice on invoice.seller_id = refund.seller_id and invoice.part_id = refund.part_id
          and invoice.kind = 'credit_note' and invoice.issued_at = refund.requested_at
          and invoice.fact like 'credit:' || refund.part_id || '/' || refund.line_no || '/' || refund.unit_no || ':%'
        where refund.customer_id = :customer_id and refund.refund_id = :refund_id
    """
    notes = rows(connection, query, customer_id=customer_id, refund_id=refund_id)
    papers: list[PaperName] = [{"kind": "invoice", "owner": str(note["seller_id"]), "name": note["number"]} for note in notes]
    facts = {"cents": cents, "has_paper": bool(papers)}
    mail_customer(connection, customer_id, order_id, "refund_sent", unique=key, facts=facts, papers=papers)


def mail_plan(connection: Connection, asked: Mapping[str, Any], *, template: str = "plan_waits", unique: str = "") -> None:
    """Tell a customer of a plan that waits for them, or no longer does; `asked` is its row. Once a state and `unique`."""
    key = {"customer_id": asked["customer_id"], "order_id": asked["order_id"]}
    query = """
        select facts, (
          select count(*) from unit
          where unit.customer_id = :customer_id and unit.order_id = :order_id and line_no = :line_no
            and state in ('to_accept', 'accepted')
        ) as devices
        from customer_order where customer_id = :customer_id and order_id = :order_id
    """
    placed = row(connection, query, **key, line_no=asked["line_no"]) or {}
    line = next(line for line in json.loads(placed["facts"])["lines"] if line["line_no"] == asked["line_no"])
    facts = {name: asked[name] for name in ("state", "reason", "acquisition", "decide_by")} | {
        "plan": line["plan"]["name"],
        "has_device": placed["devices"] > 0,
        "path": f"/orders/{asked['order_id']}/activations/{asked['line_no']}/{asked['unit_no']}",
    }
    mail_customer(connection, **key, template=template, unique=f"{asked['activation_id']}:{asked['state']}{unique}", facts=facts)


def remind_before(connection: Connection, customer_id: str, order_id: str, *, until: str) -> None:
    """Have the customer reminded to pay ten minutes before an order's units are given back (UTC text)."""
    body = {"customer_id": customer_id, "order_id": order_id, "until": until}
    due_at = clock.from_text(until) - REMINDED_BEFORE
    enqueue(connection, REMINDER, body, owner_id=customer_id, due_at=due_at, unique=until)


def remind_to_pay(work: Work, body: dict[str, Any]) -> None:
    """Remind the customer of an order that still waits for its money until the moment of the job. The handler of its job."""
    query = """
        select 1 as one from customer_order
        where customer_id = :customer_id and order_id = :order_id and state = 'open' and reserved_until = :until
    """
    with reading(work.engine) as connection:
        is_open = row(connection, query, **body) is not None
    if is_open and clock.to_text(work.now) < body["until"]:
        key, facts = {"customer_id": body["customer_id"], "order_id": body["order_id"]}, {"reserved_until": body["until"]}
        run_tx(
            work.engine,
            lambda connection: mail_customer(connection, **key, template=REMINDER, unique=body["until"], facts=facts),
        )


def _mailed(listing: OrderedListing) -> dict[str, object]:
    names = {name: listing[name] for name in ("title", "storage_gb", "color", "grade")}
    return {**names, "plan": None, "options": [], "quantity": 1}
