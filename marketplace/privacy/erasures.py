"""Erasing a person: names, addresses and their own words go, amounts stay, and what the law keeps stays as long as it says.

Invariants: nobody is erased of whom an order still runs; an order is erased in one transaction, and erasing it again changes
nothing; every erasure is logged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.bodies import compact
from marketplace.db import changed, reading, row, rows, run_tx
from marketplace.orders.dossiers import order_of_customer
from marketplace.orders.step_mails import REMINDER
from marketplace.privacy.persons import OrderOfPerson, keys_of, orders_of_person, running
from marketplace.privacy.registry import PERSONAL, ROWS, Personal
from marketplace.running.mail import MAIL
from marketplace.tables import metadata
from pos import clock
from pos.errors import Conflict

E_MAILS = frozenset({"email", "email_folded", "to"})
"""The columns and fields that hold an address, and hold one afterwards: nobody has it."""
MOST_ENDED = 100


class OrderRuns(Conflict):
    """An order of the person is not over; `data["orders"]` has the numbers. Nothing was erased."""


def erase_person(engine: Engine, customer_id: str, number: str, *, reason: str, now: datetime) -> int:
    """Erase whoever placed an order, with all orders of the same e-mail address; return how many orders that were.

    Each order is a transaction of its own: one that was cut short is taken up by asking again for what is left.
    Raises: NotFound, OrderRuns.
    """
    with reading(engine) as connection:
        orders = orders_of_person(connection, order_of_customer(connection, customer_id, number))
    _refuse_running(orders)
    # The order that was asked for goes last: as long as it stands, it leads to the others.
    orders.sort(key=lambda order: order.number == number and order.customer_id == customer_id)
    return sum(run_tx(engine, partial(_erase_once, order=order, reason=reason, now=now)) for order in orders)


def end_keeping(engine: Engine, *, now: datetime) -> int:
    """Empty the documents of erased orders that the law kept until now, and return how many orders that were."""
    query = "select customer_id, order_id from erasure where kept_until <= :at order by kept_until limit :most"
    with reading(engine) as connection:
        ended = rows(connection, query, at=clock.to_text(now), most=MOST_ENDED)
    for order in ended:
        run_tx(engine, partial(_end, **order, now=now))
    return len(ended)


def erase_order(connection: Connection, customer_id: str, order_id: str, *, now: datetime) -> str | None:
    """Replace all that is personal of an order as the registry says, in the caller's transaction.

    Return until when (UTC text) documents of it keep name and address; None where none does.
    """
    key = keys_of(connection, customer_id, order_id)
    pseudonym = f"erased-{customer_id[-12:]}"
    kept = [
        end
        for table, columns in PERSONAL.items()
        if table in ROWS
        for name, column in columns.items()
        if (end := _erase_column(connection, table, name, column, key, pseudonym, now)) is not None
    ]
    # A mail that was still to go has nobody to go to.
    changed(
        connection,
        """
        update job set state = 'set_aside', finished_at = :at
        where owner_id in (:customer_id, :address_owner) and kind in (:mail, :reminder) and state = 'waiting'
        """,
        at=clock.to_text(now),
        mail=MAIL,
        reminder=REMINDER,
        **key,
    )
    return max(kept, default=None)


def _refuse_running(orders: Sequence[OrderOfPerson]) -> None:
    if numbers := [order.number for order in orders if order.running]:
        raise OrderRuns(f"not over: {', '.join(numbers)}", orders=numbers)


def _erase_once(connection: Connection, *, order: OrderOfPerson, reason: str, now: datetime) -> int:
    key = {"customer_id": order.customer_id, "order_id": order.order_id}
    if running(connection, order.customer_id, order.order_id):
        raise OrderRuns(f"not over: {order.number}", orders=[order.number])
    if row(connection, "select 1 as one from erasure where customer_id = :customer_id and order_id = :order_id", **key):
        return 0
    kept_until = erase_order(connection, order.customer_id, order.order_id, now=now)
    changed(
        connection,
        """
        insert into erasure (customer_id, order_id, erased_at, reason, kept_until)
        values (:customer_id, :order_id, :at, :reason, :kept_until)
        """,
        **key,
        at=clock.to_text(now),
        reason=reason,
        kept_until=kept_until,
    )
    return 1


def _end(connection: Connection, customer_id: str, order_id: str, *, now: datetime) -> None:
    kept_until = erase_order(connection, customer_id, order_id, now=now)
    changed(
        connection,
        "update erasure set kept_until = :kept_until where customer_id = :customer_id and order_id = :order_id",
        kept_until=kept_until,
        customer_id=customer_id,
        order_id=order_id,
    )


def _erase_column(
    connection: Connection, table: str, name: str, column: Personal, key: Mapping[str, str], pseudonym: str, now: datetime
) -> str | None:
    """Erase one column of the rows of an order; return until when rows of it are kept as they are."""
    where = f"{ROWS[table]} and {column.only}"
    if column.way == "removed":
        changed(connection, f"delete from {table} where {where}", **key)
    elif column.way == "replaced":
        changed(connection, f"update {table} set {name} = :value where {where}", **key, value=_instead(name, pseudonym))
    elif column.way == "emptied":
        nothing = None if metadata.tables[table].columns[name].nullable else ""
        changed(connection, f"update {table} set {name} = :value where {where}", **key, value=nothing)
    elif column.way == "scrubbed":
        return _scrub_rows(connection, table, name, column, {"where": where, "pseudonym": pseudonym, **key}, now)
    return None


def _scrub_rows(
    connection: Connection, table: str, name: str, column: Personal, values: Mapping[str, str], now: datetime
) -> str | None:
    ids = [each.name for each in metadata.tables[table].primary_key.columns]
    key = {each: values[each] for each in ("customer_id", "order_id", "address_owner")}
    kept = []
    for stored in rows(connection, f"select * from {table} where {values['where']}", **key):
        if column.kept_years and (end := _kept_until(stored["issued_at"], column.kept_years)) > clock.to_text(now):
            kept.append(end)
            continue
        document = json.loads(stored[name])
        for path in column.fields:
            _scrub(document, path.split("."), values["pseudonym"])
        where = " and ".join(f"{each} = :{each}" for each in ids)
        written = {each: stored[each] for each in ids} | {"document": compact(document)}
        changed(connection, f"update {table} set {name} = :document where {where}", **written)
    return max(kept, default=None)


def _scrub(document: Any, path: Sequence[str], pseudonym: str) -> None:
    """Replace what stands at a path of a document, where there is such a path."""
    name, *further = path
    if not isinstance(document, dict) or name not in document:
        return
    if further:
        _scrub(document[name], further, pseudonym)
    else:
        document[name] = {} if isinstance(document[name], dict) else _instead(name, pseudonym)


def _instead(name: str, pseudonym: str) -> str:
    return f"{pseudonym}@erased.invalid" if name in E_MAILS else pseudonym


def _kept_until(at: str, years: int) -> str:
    """Return the end of the last year for which something is kept: accounts are closed by the year."""
    return clock.to_text(datetime(clock.from_text(at).year + years + 1, 1, 1, tzinfo=UTC))
