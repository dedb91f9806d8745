"""A claimed slip becomes an order, once, however often it is posted; what was agreed is frozen in it.

Invariant: claim, reservation and order are one transaction; a unit is reserved by one conditional update or not at all.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict, cast

from sqlalchemy import Connection, Engine, text

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import changed, new_id, row, run_tx
from marketplace.orders.acquisitions import read_acquisitions
from marketplace.orders.order_lines import OrderLine, order_line
from marketplace.orders.repricing import Comparison
from marketplace.orders.slips import Reading, SlipCorner, Withdrawn, read_slip
from marketplace.publishing.marks import Marks
from pos import clock
from pos.bodies import Acquisition
from pos.errors import Conflict, NotFound, Refused, SlipAlreadyVoided, SlipWithdrawn
from pos.laws import Guarantees
from pos.months import Span
from pos.totals import TotalsFacts

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
POSTCODE = {"fr": re.compile(r"(?<!\d)\d{2}\s?\d{3}(?!\d)"), "us": re.compile(r"(?<!\d)\d{5}(?:[\s-]?\d{4})?(?!\d)")}
UNWRITABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff]")
"""What nobody types: a parcel label, and PostgreSQL, could not carry it, or it would turn the reading direction."""
MOST_NAME, MOST_EMAIL, MOST_ADDRESS = 120, 254, 500

INSERT_CLAIM = """
    insert into claim (corner_id, key_id, counter, number, customer_id, order_id, claimed_at, difference)
    values (:corner_id, :key_id, :counter, :number, :customer_id, :order_id, :claimed_at, :difference)
    on conflict (corner_id, key_id, counter) do nothing
"""


class OrderFacts(TypedDict):
    """What was agreed, frozen with an order. Times are UTC texts; orders of the first version lack `months`."""

    issued_at: str
    valid_until: str
    is_valid: bool
    corner: SlipCorner
    tax_included: bool
    lines: list[OrderLine]
    guarantees: Guarantees
    months: NotRequired[Sequence[Span]]


class Order(TypedDict):
    """An order as its customer sees it; name and e-mail are for masking only."""

    number: str
    currency: str
    state: str
    name: str
    email: str
    facts: OrderFacts
    totals: TotalsFacts
    placed_at: str


class InvalidContact(Refused):
    """Something in the form is missing or cannot be; `data["fields"]` maps each field to a code."""


class LinesGone(Conflict):
    """A device of the slip can no longer be had; nothing was ordered."""


class TotalRose(Conflict):
    """The total is higher than the one the customer saw, or they saw none with what they accepted; nothing was ordered."""


class SlipUnknown(Conflict):
    """The device that issued the slip is not known yet, so it cannot be ordered from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to deliver to. Kept with the order only."""

    name: str
    email: str
    address: str


def read_contact(form: Mapping[str, str], market: str) -> Contact:
    """Read name, e-mail and delivery address from a form. Raises: InvalidContact."""
    values = {name: _writable(form.get(name, "")) for name in ("name", "email", "address")}
    values["email"] = "".join(unicodedata.normalize("NFKC", values["email"]).split()).strip("<>.,;")
    fields = {}
    if not 2 <= len(values["name"]) <= MOST_NAME or not any(letter.isalpha() for letter in values["name"]):
        fields["name"] = "missing"
    if len(values["email"]) > MOST_EMAIL or not EMAIL.fullmatch(values["email"]):
        fields["email"] = "malformed" if values["email"] else "missing"
    postcode = POSTCODE.get(market)
    if not 8 <= len(values["address"]) <= MOST_ADDRESS or not any(letter.isalnum() for letter in values["address"]):
        fields["address"] = "missing"
    elif postcode is not None and not postcode.search(values["address"]):
        fields["address"] = "no_postcode"
    if fields:
        raise InvalidContact("the form is not complete", fields=fields)
    return Contact(**values)


def _writable(text: str) -> str:
    """Return what a person typed without what nobody types; a tab is a space."""
    return UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\t", " ")).strip()


def claim_slip(
    engine: Engine,
    digits: str,
    form: Mapping[str, str],
    *,
    replace: Mapping[int, int],
    seen_cents: int | None,
    now: datetime,
) -> str:
    """Order what a slip says and return the order's id; the slip's earlier order if it has one, whatever the form says.

    `seen_cents` is the total the customer saw: an order never costs more, and one with `replace` needs it.
    Nothing is kept when it raises.
    Raises: MangledToken, ForgedToken, SlipUnknown, SlipWithdrawn, SlipAlreadyVoided, InvalidContact, LinesGone, TotalRose,
    AcquisitionMissing, NotEligible.
    """

    def work(connection: Connection) -> str:
        reading = read_slip(connection, digits, now=now, replace=replace)
        if isinstance(reading, Withdrawn):
            raise SlipWithdrawn(number=reading.number)
        if not isinstance(reading, Reading):
            raise SlipUnknown("this corner has not been heard from yet", number=reading.number)
        if reading.order_id is not None:
            return reading.order_id
        if reading.voided is not None:
            raise SlipAlreadyVoided(number=reading.number)
        contact = read_contact(form, reading.market["market"])
        if not reading.is_orderable:
            raise LinesGone(lines=[line.line_no for line in reading.lines if line.basis == "gone"])
        has_risen = reading.totals.total_cents > seen_cents if seen_cents is not None else bool(replace)
        if has_risen:
            raise TotalRose(was_cents=seen_cents, now_cents=reading.totals.total_cents)
        acquisitions = read_acquisitions(form, reading)
        return _place(connection, reading, contact, acquisitions, clock.to_text(now))

    return run_tx(engine, work)


def order(connection: Connection, order_id: str) -> Order:
    """Return an order with what was agreed. Raises: NotFound."""
    found = row(
        connection,
        """
        select number, currency, state, name, email, facts, totals, placed_at
        from customer_order where order_id = :order_id
        """,
        order_id=order_id,
    )
    if found is None:
        raise NotFound(order_id=order_id)
    return cast(Order, {**found, "facts": json.loads(found["facts"]), "totals": json.loads(found["totals"])})


def masked_email(email: str) -> str:
    """Return an address its owner recognises and nobody else can use."""
    local, _, domain = email.partition("@")
    return f"{local[:1]}{'•' * max(3, len(local) - 1)}@{domain}"


def masked_name(name: str) -> str:
    """Return the initials only."""
    return " ".join(f"{part[0]}." for part in name.split())


def _place(
    connection: Connection, reading: Reading, contact: Contact, acquisitions: Mapping[int, Acquisition | None], now: str
) -> str:
    order_id, customer_id = new_id(), new_id()
    totals = reading.totals
    claim = {
        "corner_id": reading.corner_id,
        "key_id": reading.key_id,
        "counter": reading.token.counter,
        "number": reading.number,
        "customer_id": customer_id,
        "order_id": order_id,
        "claimed_at": now,
        "difference": "token" if reading.differs_from_print else None,
    }
    # Two posts at once: PostgreSQL sends the later one back as a serialization failure, and its next try finds the order.
    connection.execute(text(INSERT_CLAIM), claim)
    _reserve(connection, reading)
    facts: OrderFacts = {
        "issued_at": reading.issued_at,
        "valid_until": reading.valid_until,
        "is_valid": reading.is_valid,
        "corner": {
            "name": reading.corner["name"],
            "city": reading.corner["city"],
            "phone": reading.corner["phone"],
            "time_zone": reading.corner["time_zone"],
        },
        "tax_included": reading.market["tax_included"],
        "lines": [{**order_line(line, reading.laws), "acquisition": acquisitions.get(line.line_no)} for line in reading.lines],
        "guarantees": reading.guarantees,
        "months": reading.months,
    }
    values = {
        "customer_id": customer_id,
        "order_id": order_id,
        "number": reading.number,
        "market": reading.market["market"],
        "currency": reading.market["currency"],
        "state": "to_confirm",
        "name": contact.name,
        "email": contact.email,
        "address": contact.address,
        "facts": compact(facts),
        "totals": compact(totals.to_facts()),
        "placed_at": now,
    }
    connection.execute(tables.customer_order.insert(), values)
    connection.execute(tables.order_line.insert(), [_row_of_line(line, customer_id, order_id) for line in reading.lines])
    return order_id


def _reserve(connection: Connection, reading: Reading) -> None:
    """Take the units out of what others can order. Raises: LinesGone, when another customer was faster."""
    marks = Marks()
    for line in reading.lines:
        listing = line.chosen.listing if line.chosen else None
        if listing is None:
            continue
        taken = changed(
            connection,
            """
            update listing set reserved = reserved + :quantity
            where seller_id = :seller_id and listing_id = :listing_id and state = 'online' and quantity - reserved >= :quantity
            """,
            quantity=line.wish.quantity,
            seller_id=listing["seller_id"],
            listing_id=listing["listing_id"],
        )
        if taken == 0:
            raise LinesGone(lines=[line.line_no])
        marks.add(reading.market["market"], "stock", listing["listing_id"])
    marks.write(connection)


def _row_of_line(line: Comparison, customer_id: str, order_id: str) -> dict[str, Any]:
    chosen = line.chosen
    return {
        "customer_id": customer_id,
        "order_id": order_id,
        "line_no": line.line_no,
        "seller_id": chosen.listing["seller_id"] if chosen and chosen.listing else None,
        "listing_id": chosen.listing["listing_id"] if chosen and chosen.listing else None,
        "plan_id": line.wish.plan_id or None,
        "quantity": line.wish.quantity,
        "basis": line.basis,
        "total_cents": chosen.totals.total_cents if chosen else 0,
    }
