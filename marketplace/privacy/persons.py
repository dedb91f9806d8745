"""A customer as one person: the orders placed under one e-mail address, what still runs of them, and all we hold of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.orders.orders import Order
from marketplace.orders.sign_ins import owner_of
from marketplace.privacy.registry import OF_ORDER, ROWS
from marketplace.tables import metadata
from pos import clock

FORMAT = "comptoir-person/1"
HIDDEN = "…"
"""What stands in an export where a secret would that opens an order or signs in: HQ's people read it, too."""
SIGN_IN = re.compile(r"(?<=/sign-in/)[^\"\s]+")
RUNNING: Mapping[str, tuple[str, str]] = {
    "to_pay": ("customer_order", "state = 'open'"),
    "being_paid": ("payment", "state in ('opening', 'open')"),
    "on_its_way": ("unit", "state in ('to_accept', 'accepted', 'shipped')"),
    "stand_in": ("substitution", "state = 'offered'"),
    "plan_asked": ("customer_order", "state = 'requested'"),
    "at_carrier": ("activation", "state in ('needs_number', 'to_send', 'sent', 'acknowledged', 'refused')"),
    "case": ("unit_case", "state in ('asked', 'granted', 'sent', 'received')"),
    "refund": ("refund", "state in ('requested', 'sent', 'failed')"),
    "dispute": ("payment", "dispute = 'open'"),
}
"""What of an order still needs to know whom it is for, by the reason that is shown: a table, and the rows that run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOfPerson:
    """An order of a person; `running` says what of it is not over, by the names of `RUNNING`."""

    customer_id: str
    order_id: str
    number: str
    state: str
    placed_at: str
    running: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedOrder:
    """An order that was erased; until `kept_until` (UTC text) its documents keep name and address, None where there are none."""

    customer_id: str
    number: str
    erased_at: str
    reason: str
    kept_until: str | None


def orders_of_person(connection: Connection, placed: Order) -> list[OrderOfPerson]:
    """Return all orders placed under the e-mail address of one of them, the newest first."""
    query = """
        select customer_id, order_id, number, state, placed_at from customer_order
        where email_folded = (select email_folded from customer_order where customer_id = :customer_id and order_id = :order_id)
        order by placed_at desc, order_id
    """
    same = rows(connection, query, customer_id=placed["customer_id"], order_id=placed["order_id"])
    return [OrderOfPerson(**each, running=running(connection, each["customer_id"], each["order_id"])) for each in same]


def running(connection: Connection, customer_id: str, order_id: str) -> list[str]:
    """Return what of an order is not over."""
    key = {"customer_id": customer_id, "order_id": order_id}
    return [
        name
        for name, (table, condition) in RUNNING.items()
        if row(connection, f"select 1 as one from {table} where {OF_ORDER} and {condition} limit 1", **key)
    ]


def export_person(connection: Connection, orders: Sequence[OrderOfPerson], *, at: str) -> dict[str, Any]:
    """Return all that is held of a person's orders as one JSON document: by order and table, every column of every row.

    `at` is when (UTC text). Documents inside are written out; the secrets that open orders are left out.
    """
    return {"format": FORMAT, "made_at": at, "orders": [_exported(connection, order) for order in orders]}


def erased_orders(connection: Connection, *, most: int) -> list[ErasedOrder]:
    """Return what was erased, the newest first."""
    query = """
        select erasure.customer_id, customer_order.number, erasure.erased_at, erasure.reason, erasure.kept_until
        from erasure
        join customer_order
          on customer_order.customer_id = erasure.customer_id and customer_order.order_id = erasure.order_id
        order by erasure.erased_at desc, customer_order.number limit :most
    """
    return [ErasedOrder(**each) for each in rows(connection, query, most=most)]


def kept_documents(connection: Connection, customer_id: str, order_id: str) -> list[dict[str, str]]:
    """Return the documents of an order that the law has us keep as they are: `table`, `name` and `issued_at`."""
    invoices = f"select 'invoice' as kind, number as name, issued_at from invoice where {OF_ORDER}"
    confirmations = f"select 'confirmation' as kind, '' as name, issued_at from confirmation where {OF_ORDER}"
    query = f"{invoices} union all {confirmations} order by issued_at"
    return rows(connection, query, customer_id=customer_id, order_id=order_id)


def keys_of(connection: Connection, customer_id: str, order_id: str) -> dict[str, str]:
    """Return what the conditions of `ROWS` find an order's rows by."""
    key = {"customer_id": customer_id, "order_id": order_id}
    placed = row(connection, f"select email_folded from customer_order where {OF_ORDER}", **key)
    return {**key, "address_owner": owner_of(placed["email_folded"] if placed else "")}


def _exported(connection: Connection, order: OrderOfPerson) -> dict[str, Any]:
    key = keys_of(connection, order.customer_id, order.order_id)
    tables = {}
    for table, condition in ROWS.items():
        keys = ", ".join(column.name for column in metadata.tables[table].primary_key.columns)
        if held := rows(connection, f"select * from {table} where {condition} order by {keys}", **key):
            tables[table] = [{name: _written_out(value, order.order_id) for name, value in each.items()} for each in held]
    return {"number": order.number, "placed_at": order.placed_at, "tables": tables}


def _written_out(value: Any, secret: str) -> Any:
    if not isinstance(value, str):
        return value
    plain = SIGN_IN.sub(HIDDEN, value.replace(secret, HIDDEN))
    if plain[:1] not in ("{", "["):
        return plain
    try:
        return json.loads(plain)
    except ValueError:
        return plain


def file_name(number: str, at: str) -> str:
    """Return how an export is called."""
    return f"comptoir-{number}-{clock.from_text(at):%Y-%m-%d}.json"
