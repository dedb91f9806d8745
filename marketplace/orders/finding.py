"""How HQ finds an order: by its number, the name or e-mail address it was placed under, or a device's IMEI or serial number.

Invariant: every search reads an index, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import rows
from marketplace.orders.contacts import folded_email

MOST_FOUND = 200
MOST_QUERY, MOST_WORDS = 254, 6
WORD = re.compile(r"\w+")
LAST_LETTER = "z"
"""Sorts after every sign of a plain word, in any collation of ours."""

ORDERS = """
    select customer_order.customer_id, customer_order.order_id, customer_order.number, customer_order.name,
      customer_order.state, customer_order.currency, customer_order.totals, customer_order.placed_at, claim.corner_id,
      standing.name as corner, claim.difference as claim_difference, slip.number as slip_number,
      slip.difference, slip_void.reason as void_reason
    from {source}
    left join claim on claim.order_id = customer_order.order_id
    left join standing on standing.corner_id = claim.corner_id
    left join slip on slip.corner_id = claim.corner_id and slip.key_id = claim.key_id and slip.counter = claim.counter
    left join slip_void
      on slip_void.corner_id = claim.corner_id and slip_void.key_id = claim.key_id and slip_void.counter = claim.counter
    order by customer_order.placed_at desc, customer_order.order_id desc limit :most
"""
FOUND = """
    ({found}) as found
    join customer_order on customer_order.customer_id = found.customer_id and customer_order.order_id = found.order_id
"""
BY_EMAIL = "select customer_id, order_id from customer_order where email_folded = :email"
BY_NUMBER = """
    select customer_id, order_id from customer_order where number in (:number, :of_part)
    union select customer_id, order_id from unit where imei = :imei
    union select customer_id, order_id from unit where serial in (:typed, :number)
"""
BY_WORD = "select customer_id, order_id from order_name where word between :first{place} and :last{place}"


def newest_orders(connection: Connection) -> list[dict[str, Any]]:
    """Return the newest orders; `slip_number` is null until the kiosk's own event has met them."""
    return _orders(connection, "customer_order", {})


def find_orders(connection: Connection, typed: str) -> list[dict[str, Any]]:
    """Return the orders that what was typed means, the newest first, as `newest_orders` does.

    An e-mail address is meant whole, as are a number of an order or a part, an IMEI or a serial number; of a name the beginning
    of each of its words, in any order, without regard to accents.
    """
    text = " ".join(typed.split())[:MOST_QUERY]
    if "@" in text:
        return _orders(connection, FOUND.format(found=BY_EMAIL), {"email": folded_email(text)})
    number = text.upper()
    values = {"typed": text, "number": number, "of_part": number.rpartition("-")[0], "imei": re.sub(r"[ -]", "", text)}
    words = name_words(text)[:MOST_WORDS]
    named = " intersect ".join(BY_WORD.format(place=place) for place in range(len(words)))
    for place, word in enumerate(words):
        values |= {f"first{place}": word, f"last{place}": word + LAST_LETTER * 30 if word.isascii() else word}
    found = BY_NUMBER + (f" union select * from ({named}) as named" if named else "")
    return _orders(connection, FOUND.format(found=found), values)


def name_words(name: str) -> list[str]:
    """Return the words of a name as they are looked up: small letters without accents, each once."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(sign))
    return list(dict.fromkeys(WORD.findall(plain)))


def note_name(connection: Connection, customer_id: str, order_id: str, name: str) -> None:
    """Let an order be found by this name, in the caller's transaction."""
    key = {"customer_id": customer_id, "order_id": order_id}
    if words := name_words(name):
        connection.execute(tables.order_name.insert(), [{**key, "word": word} for word in words])


def _orders(connection: Connection, source: str, values: dict[str, str]) -> list[dict[str, Any]]:
    found = rows(connection, ORDERS.format(source=source), most=MOST_FOUND, **values)
    return [{**order, "totals": json.loads(order["totals"])} for order in found]
