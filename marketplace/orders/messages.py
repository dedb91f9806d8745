"""What a customer and the seller of a part write to each other: plain text, kept with the part, no address of either shown.

Invariant: messages are numbered within their part and never changed; each is told to the other side by mail, without its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import changed, row, rows
from marketplace.orders.contacts import UNWRITABLE
from marketplace.orders.mails import mail_message
from marketplace.orders.parts import note_change
from marketplace.orders.units import Actor
from pos.errors import NotFound, Refused

MOST_LETTERS = 2000
MOST_MESSAGES = 200
"""Of one part: more is for people to talk about otherwise."""


SHOWN = """
    seller_id, part_id, message_no, at, by, body,
    exists (
      select 1 from erasure where erasure.customer_id = message.customer_id and erasure.order_id = message.order_id
    ) as is_erased
"""


class PartMessage(TypedDict):
    """A message of a part, as text; `by` is "customer", "seller:<user>" or "hq", `at` a UTC text.

    `body` is "" where somebody noted that nothing was to be answered, and where the customer was erased.
    """

    seller_id: int
    part_id: str
    message_no: int
    at: str
    by: str
    body: str
    is_erased: bool


class MessageRefused(Refused):
    """Nothing was written, too much was, or the part has too many messages; `data["reason"]` says which."""


def write_message(
    connection: Connection, part_id: str, text: str, actor: Actor, *, seller_id: int | None = None, order_id: str | None = None
) -> None:
    """Write to the other side of a part of this seller, or of this order, in the caller's transaction; HQ writes to the customer.

    Raises: NotFound, MessageRefused.
    """
    part = _part(connection, part_id, seller_id=seller_id, order_id=order_id)
    body = UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\t", " ")).strip()
    message_no = _next_no(connection, part)
    reason = "missing" if not body else "too_long" if len(body) > MOST_LETTERS else "many" if message_no > MOST_MESSAGES else ""
    if reason:
        raise MessageRefused("no message that can be sent", reason=reason)
    _insert(connection, part, message_no, body, actor)
    mail_message(connection, part["seller_id"], part["part_id"], message_no, to_seller=actor.by == "customer")


def close_thread(connection: Connection, part_id: str, actor: Actor, *, seller_id: int) -> None:
    """Note that what a customer wrote needs no answer, as a message without words that nobody is told of.

    In the caller's transaction; nothing where nothing waits. Raises: NotFound.
    """
    part = _part(connection, part_id, seller_id=seller_id, order_id=None)
    if part["asked_at"] is not None:
        _insert(connection, part, _next_no(connection, part), "", actor)


def _part(connection: Connection, part_id: str, *, seller_id: int | None, order_id: str | None) -> dict[str, Any]:
    owner = "order_id = :owner" if seller_id is None else "seller_id = :owner"
    query = f"select seller_id, part_id, customer_id, order_id, asked_at from part where part_id = :part_id and {owner}"
    part = row(connection, query, part_id=part_id[:40], owner=order_id if seller_id is None else seller_id)
    if part is None:
        raise NotFound("no such order")
    return part


def _next_no(connection: Connection, part: Mapping[str, Any]) -> int:
    # Writing the part's row makes two messages at once take their numbers one after the other.
    note_change(connection, part["seller_id"], part["part_id"])
    count = "select count(*) as n from message where seller_id = :seller_id and part_id = :part_id"
    written = row(connection, count, seller_id=part["seller_id"], part_id=part["part_id"])
    return (written["n"] if written else 0) + 1


def _insert(connection: Connection, part: Mapping[str, Any], message_no: int, body: str, actor: Actor) -> None:
    whose = {name: part[name] for name in ("seller_id", "part_id", "customer_id", "order_id")}
    values = {**whose, "message_no": message_no, "at": actor.at, "by": actor.by, "body": body}
    connection.execute(tables.message.insert(), values)
    changed(
        connection,
        """
        update part set asked_at = case when :by = 'customer' then coalesce(asked_at, :at) end
        where seller_id = :seller_id and part_id = :part_id
        """,
        seller_id=part["seller_id"],
        part_id=part["part_id"],
        by=actor.by,
        at=actor.at,
    )


def messages_of_order(connection: Connection, order_id: str) -> list[PartMessage]:
    """Return the messages of an order's parts, the oldest first."""
    query = f"""
        select {SHOWN} from message where order_id = :order_id
        order by at, part_id, message_no
    """
    return cast(list[PartMessage], rows(connection, query, order_id=order_id))


def messages_of_part(connection: Connection, seller_id: int, part_id: str) -> list[PartMessage]:
    """Return the messages of a seller's part, the oldest first."""
    query = f"""
        select {SHOWN} from message
        where seller_id = :seller_id and part_id = :part_id order by message_no
    """
    return cast(list[PartMessage], rows(connection, query, seller_id=seller_id, part_id=part_id))
