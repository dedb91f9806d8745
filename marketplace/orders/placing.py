"""A claimed slip or a selection becomes an order, once, however often it is posted; what was agreed is frozen in it.

Invariant: claim, reservation and order are one transaction; a unit is reserved by one conditional update or not at all.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from sqlalchemy import Connection, Engine, text

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import new_id, row, run_tx
from marketplace.money.payments import PRICES_KEPT
from marketplace.money.provider import NoProvider, pages_origin
from marketplace.orders import forms, stock
from marketplace.orders.acquisitions import read_acquisitions
from marketplace.orders.activations import request_activations
from marketplace.orders.contacts import Contact, folded_email, read_contact, read_email
from marketplace.orders.finding import note_name
from marketplace.orders.mails import mail_placed_order
from marketplace.orders.order_lines import OrderLine, order_line
from marketplace.orders.orders import OrderFacts
from marketplace.orders.parts import mark_paid
from marketplace.orders.pricing import OrderMarket, Pricing, price_selection
from marketplace.orders.repricing import Comparison, all_in_cents
from marketplace.orders.sales_tax import TaxRow, TaxUnknown, line_tax_cents, quote_tax, tax_rows, zip_of
from marketplace.orders.slip_states import next_change
from marketplace.orders.slips import Reading, SlipCorner, Withdrawn, read_slip
from marketplace.orders.step_mails import remind_before
from marketplace.papers.confirmations import issue_confirmation
from pos import clock
from pos.bodies import Acquisition
from pos.errors import Conflict, SlipAlreadyVoided, SlipWithdrawn
from pos.line_facts import Wish
from pos.tokens import CROCKFORD
from pos.totals import device_due_cents

RESERVED_FOR = timedelta(minutes=30)
"""How long units wait for the payment; the shortest a payment page may stay open (Stripe, Checkout Sessions, `expires_at`)."""
NUMBER_SIGNS = 10

INSERT_CLAIM = """
    insert into claim
      (corner_id, key_id, counter, number, customer_id, order_id, claimed_at, difference, state_at, change_no)
    values
      (:corner_id, :key_id, :counter, :number, :customer_id, :order_id, :claimed_at, :difference, :claimed_at, :change_no)
    on conflict (corner_id, key_id, counter) do nothing
"""
INSERT_SELECTION_ORDER = """
    insert into selection_order (selection_id, lines_sha256, customer_id, order_id, ordered_at)
    values (:selection_id, :lines_sha256, :customer_id, :order_id, :ordered_at)
    on conflict (selection_id, lines_sha256) do update
    set customer_id = :customer_id, order_id = :order_id, ordered_at = :ordered_at
"""


class TotalRose(Conflict):
    """The total is higher than the one the customer saw, or they saw none with what they accepted; nothing was ordered."""


class SlipUnknown(Conflict):
    """The device that issued the slip is not known yet, so it cannot be ordered from."""


class Origin(TypedDict):
    """Where an order comes from, as `OrderFacts` has it."""

    issued_at: str
    valid_until: str
    is_valid: bool
    corner: SlipCorner | None
    digits: str | None
    time_zone: str
    partner_id: str | None


class SlipUsed(Conflict):
    """The slip was ordered by somebody of another e-mail address, who alone is shown the order; `order_id` stays inside."""

    def __init__(self, order_id: str = "") -> None:
        super().__init__("this slip was ordered already")
        self.order_id = order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """An order about to be written: its ids, whom it is for, and the facts that are not in its lines."""

    customer_id: str
    order_id: str
    number: str
    source: str
    language: str
    contact: Contact
    may_substitute: bool
    acquisitions: Mapping[int, Acquisition | None]
    facts: Origin


def claim_slip(
    engine: Engine,
    digits: str,
    form: Mapping[str, str],
    *,
    language: str,
    replace: Mapping[int, int],
    seen_cents: int | None,
    now: datetime,
) -> str:
    """Order what a slip says and return the order's id; the slip's earlier order if it has one of the same e-mail address.

    `seen_cents` is the total the customer saw: an order never costs more, and one with `replace` needs it.
    Nothing is kept when it raises.
    Raises: MangledToken, ForgedToken, SlipUnknown, SlipUsed, SlipWithdrawn, SlipAlreadyVoided, InvalidContact, LinesGone,
    TotalRose, AcquisitionMissing, NotEligible.
    """

    def work(connection: Connection) -> str:
        reading = read_slip(connection, digits, now=now, replace=replace)
        if isinstance(reading, Withdrawn):
            raise SlipWithdrawn(number=reading.number)
        if not isinstance(reading, Reading):
            raise SlipUnknown("this corner has not been heard from yet", number=reading.number)
        if reading.order_id is not None:
            return _own_order(connection, reading.order_id, form)
        if reading.voided is not None:
            raise SlipAlreadyVoided(number=reading.number)
        contact = read_contact(form, reading.market.get("post_codes", ()))
        _refuse_dearer(reading, seen_cents, is_changed=bool(replace))
        rates = _tax_rates(connection, reading, contact, form, day=clock.local_day(now, reading.corner["time_zone"]))
        placing = Placing(
            **_ids(),
            number=reading.number,
            source="slip",
            language=language,
            contact=contact,
            may_substitute=form.get("substitute") == "yes",
            acquisitions=read_acquisitions(form, reading),
            facts=_slip_facts(reading),
        )
        # Two posts at once: PostgreSQL sends the later one back as a serialization failure, and its next try finds the order.
        change_no = next_change(connection, reading.corner_id, at=clock.to_text(now))
        connection.execute(text(INSERT_CLAIM), {**_claim(reading, placing, clock.to_text(now)), "change_no": change_no})
        _place(connection, reading, placing, rates, now)
        return placing.order_id

    return run_tx(engine, work)


def order_selection(
    engine: Engine,
    selection_id: str,
    wishes: Sequence[tuple[int, Wish]],
    form: Mapping[str, str],
    *,
    market: OrderMarket,
    zone: str,
    language: str,
    seen_cents: int | None,
    now: datetime,
    partner_id: str | None = None,
) -> str:
    """Order the lines of a selection at the newest prices and return the order's id; `partner_id` is whose entry it came by.

    The same lines for the same e-mail address are one order for as long as an unpaid one keeps its prices. An order whose devices
    cost something needs a payment provider. Nothing is kept when it raises.
    Raises: InvalidContact, LinesGone, TotalRose, AcquisitionMissing, NotEligible, NoProvider.
    """

    def work(connection: Connection) -> str:
        contact = read_contact(form, market.get("post_codes", ()))
        lines_sha256 = _sha256_of(wishes, contact)
        if (earlier := _ordered_before(connection, selection_id, lines_sha256, now=now)) is not None:
            return earlier
        pricing = price_selection(connection, market, wishes, now=now, zone=zone)
        _refuse_dearer(pricing, seen_cents, is_changed=True)
        rates = _tax_rates(connection, pricing, contact, form, day=clock.local_day(now, zone))
        at = clock.to_text(now)
        placing = Placing(
            **_ids(),
            number=f"W-{''.join(secrets.choice(CROCKFORD) for _ in range(NUMBER_SIGNS))}",
            source="selection",
            language=language,
            contact=contact,
            may_substitute=form.get("substitute") == "yes",
            acquisitions=read_acquisitions(form, pricing),
            facts={
                "issued_at": at,
                "valid_until": at,
                "is_valid": True,
                "corner": None,
                "digits": None,
                "time_zone": zone,
                "partner_id": partner_id,
            },
        )
        values = {"selection_id": selection_id, "lines_sha256": lines_sha256, "ordered_at": at}
        values |= {"customer_id": placing.customer_id, "order_id": placing.order_id}
        # Two posts at once: PostgreSQL sends the later one back as a serialization failure, and its next try finds the order.
        connection.execute(text(INSERT_SELECTION_ORDER), values)
        if _place(connection, pricing, placing, rates, now) and pages_origin(connection) is None:
            raise NoProvider("nothing can be paid here yet")
        return placing.order_id

    return run_tx(engine, work)


def _sha256_of(wishes: Sequence[tuple[int, Wish]], contact: Contact) -> str:
    """Return the name of what is ordered and for whom: a selection's address may be handed on, and its orders must not be."""
    return hashlib.sha256(repr((list(wishes), folded_email(contact.email))).encode()).hexdigest()


def _ordered_before(connection: Connection, selection_id: str, lines_sha256: str, *, now: datetime) -> str | None:
    """Return the order that these lines of a selection became for this customer lately, if any."""
    found = row(
        connection,
        """
        select order_id from selection_order
        where selection_id = :selection_id and lines_sha256 = :lines_sha256 and ordered_at >= :since
        """,
        selection_id=selection_id,
        lines_sha256=lines_sha256,
        since=clock.to_text(now - PRICES_KEPT),
    )
    return found["order_id"] if found else None


def _own_order(connection: Connection, order_id: str, form: Mapping[str, str]) -> str:
    """Return the order where the form gives its e-mail address. Raises: SlipUsed."""
    found = row(connection, "select email_folded from customer_order where order_id = :order_id", order_id=order_id)
    if found is None or found["email_folded"] != folded_email(read_email(form)):
        raise SlipUsed(order_id)
    return order_id


def _ids() -> dict[str, str]:
    """Return new ids: whose order it is, and the order's own, a secret of 128 bits that gives access to it."""
    return {"customer_id": new_id(), "order_id": secrets.token_hex(16)}


def _refuse_dearer(pricing: Pricing, seen_cents: int | None, *, is_changed: bool) -> None:
    """Raise LinesGone where a line cannot be had, TotalRose where all of it costs more than the customer saw."""
    if not pricing.is_orderable:
        raise stock.LinesGone(lines=[line.line_no for line in pricing.lines if line.basis == "gone"])
    total_cents = pricing.totals.total_cents
    if total_cents > seen_cents if seen_cents is not None else is_changed:
        raise TotalRose(was_cents=seen_cents, now_cents=total_cents)


def _tax_rates(connection: Connection, pricing: Pricing, contact: Contact, form: Mapping[str, str], *, day: str) -> list[TaxRow]:
    """Return the rates of sales tax that the order's address is taxed by. Raises: TaxUnknown, TotalRose."""
    rates = [] if pricing.market["tax_included"] else tax_rows(connection, pricing.market["market"], day)
    tax = quote_tax(pricing, rates, zip_of(contact.address))
    if tax is not None and tax.cents is None:
        raise TaxUnknown("no sales tax is known for this address", fields={"address": "no_tax"})
    seen = forms.seen_cents(form, "seen_tax_cents")
    if tax is not None and tax.cents and (seen is None or tax.cents > seen):
        raise TotalRose(was_cents=seen, now_cents=tax.cents)
    return rates


def _claim(reading: Reading, placing: Placing, at: str) -> dict[str, Any]:
    return {
        "corner_id": reading.corner_id,
        "key_id": reading.key_id,
        "counter": reading.token.counter,
        "number": reading.number,
        "customer_id": placing.customer_id,
        "order_id": placing.order_id,
        "claimed_at": at,
        "difference": "token" if reading.differs_from_print else None,
    }


def _slip_facts(reading: Reading) -> Origin:
    corner = reading.corner
    return {
        "issued_at": reading.issued_at,
        "valid_until": reading.valid_until,
        "is_valid": reading.is_valid,
        "corner": {"name": corner["name"], "city": corner["city"], "phone": corner["phone"], "time_zone": corner["time_zone"]},
        "digits": reading.digits,
        "time_zone": corner["time_zone"],
        "partner_id": None,
    }


def _place(connection: Connection, pricing: Pricing, placing: Placing, rates: Sequence[TaxRow], now: datetime) -> int:
    """Write an order down and return what is to be paid for it here, tax included."""
    lines = [
        _row_of_line(line, placing) | {"tax_cents": line_tax_cents(line, rates, zip_of(placing.contact.address)) or 0}
        for line in pricing.lines
    ]
    has_devices = any(line["listing_id"] is not None for line in lines)
    stock.reserve(connection, pricing.market["market"], [line for line in lines if line["listing_id"] is not None])
    ordered: list[OrderLine] = [
        {**order_line(line, pricing.laws), "acquisition": placing.acquisitions.get(line.line_no)} for line in pricing.lines
    ]
    facts: OrderFacts = {
        **placing.facts,
        "tax_included": pricing.market["tax_included"],
        "lines": ordered,
        "guarantees": pricing.guarantees,
        "months": pricing.months,
    }
    contact = placing.contact
    values = {
        "customer_id": placing.customer_id,
        "order_id": placing.order_id,
        "number": placing.number,
        "market": pricing.market["market"],
        "currency": pricing.market["currency"],
        "state": "open" if has_devices else "requested",
        "reserved_until": clock.to_text(now + RESERVED_FOR) if has_devices else None,
        "source": placing.source,
        "language": placing.language,
        "name": contact.name,
        "email": contact.email,
        "email_folded": folded_email(contact.email),
        "address": contact.address,
        "facts": compact(facts),
        "totals": compact(pricing.totals.to_facts()),
        "placed_at": clock.to_text(now),
        "may_substitute": int(placing.may_substitute),
    }
    connection.execute(tables.customer_order.insert(), values)
    connection.execute(tables.order_line.insert(), lines)
    note_name(connection, placing.customer_id, placing.order_id, contact.name)
    cents: int = sum(
        line["quantity"] * (line["collected_cents"] + line["tax_cents"]) for line in lines if line["basis"] != "dropped"
    )
    if cents:
        remind_before(connection, placing.customer_id, placing.order_id, until=clock.to_text(now + RESERVED_FOR))
    mail_placed_order(connection, values, facts)
    if not has_devices:
        issue_confirmation(connection, placing.customer_id, placing.order_id, at=clock.to_text(now))
        request_activations(connection, placing.customer_id, placing.order_id, at=clock.to_text(now))
    elif not cents:
        mark_paid(connection, placing.customer_id, placing.order_id, at=clock.to_text(now))
    return cents


def _row_of_line(line: Comparison, placing: Placing) -> dict[str, Any]:
    """Return the row of a line; cents but the total are for one unit."""
    chosen = line.chosen
    listing, plan = (chosen.listing, chosen.plan) if chosen else (None, None)
    return {
        "customer_id": placing.customer_id,
        "order_id": placing.order_id,
        "line_no": line.line_no,
        "seller_id": listing["seller_id"] if listing else None,
        "listing_id": listing["listing_id"] if listing else None,
        "sku_id": listing["sku_id"] if listing else None,
        "grade_id": listing["grade_id"] if listing else None,
        "plan_id": line.wish.plan_id or None,
        "partner_id": plan["partner_id"] if plan else None,
        "quantity": line.wish.quantity,
        "basis": line.basis,
        "total_cents": chosen.totals.total_cents if chosen else 0,
        "owed_cents": all_in_cents(listing) if listing else 0,
        "collected_cents": device_due_cents(chosen.line) if chosen and listing else 0,
        "vat_margin": int(listing["vat_note"] == "margin") if listing else 0,
        "delivery_days": listing["delivery_days"] if listing else 0,
    }
