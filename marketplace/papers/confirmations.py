"""The confirmation of a contract on a durable medium (L221-13), issued when an order is paid, or asked for where nothing is due.

Invariant: an order has one confirmation, which holds all that it prints and never changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

from sqlalchemy import Connection

from marketplace.bodies import compact
from marketplace.db import changed, row
from marketplace.orders.order_lines import OrderedListing, OrderLine, agreed_listing
from marketplace.orders.orders import order
from marketplace.orders.pricing import market_laws
from marketplace.papers.parties import Customer, Party, customer_of, language_of, seller_party
from pos import clock
from pos.bodies import Names
from pos.errors import NotFound
from pos.laws import Guarantees
from pos.months import Span
from pos.totals import TotalsFacts

FRENCH_TEXT: Mapping[str, str] = {"fr": "D211-2"}
"""The model text of confirmations from before they named it, by market."""


class ConfirmedLine(TypedDict):
    """A line as it was agreed: a device, a plan, options, or some of them; totals are for all its units."""

    quantity: int
    listing: OrderedListing | None
    plan: Names | None
    commitment_months: int
    options: list[Names]
    totals: TotalsFacts | None
    exit_after_12_cents: int | None


class ConfirmationFacts(TypedDict):
    """All that a confirmation prints."""

    number: str
    placed_at: str
    issued_at: str
    zone: str
    market: str
    currency: str
    tax_included: bool
    customer: Customer
    email: str
    sellers: list[Party]
    lines: list[ConfirmedLine]
    totals: TotalsFacts
    months: list[Span]
    guarantees: Guarantees
    model_text: str
    legal_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A confirmation as it was issued."""

    issued_at: str
    language: str
    facts: ConfirmationFacts


def issue_confirmation(connection: Connection, customer_id: str, order_id: str, *, at: str) -> None:
    """Issue the confirmation of an order in the caller's transaction; one that was issued stays as it is."""
    placed = order(connection, order_id)
    agreed = placed["facts"]
    kept = [line for line in agreed["lines"] if line["basis"] != "dropped"]
    lines = [_line(agreed["lines"], line) for line in kept]
    sellers = dict.fromkeys(line["listing"]["seller_id"] for line in lines if line["listing"])
    corner = agreed["corner"]
    law = market_laws(connection, placed["market"], placed["placed_at"][:10]).get("legal_guarantee")
    facts: ConfirmationFacts = {
        "number": placed["number"],
        "placed_at": placed["placed_at"],
        "issued_at": at,
        "zone": agreed.get("time_zone") or (corner["time_zone"] if corner else clock.HOME_ZONE),
        "market": placed["market"],
        "currency": placed["currency"],
        "tax_included": agreed["tax_included"],
        "customer": customer_of(connection, customer_id, order_id),
        "email": placed["email"],
        "sellers": [seller_party(connection, seller_id) for seller_id in sellers],
        "lines": lines,
        "totals": placed["totals"],
        "months": list(agreed.get("months", ())),
        "guarantees": agreed["guarantees"],
        "model_text": law.get("model_text", "") if law else "",
        "legal_source": law.get("source", "") if law else "",
    }
    changed(
        connection,
        """
        insert into confirmation (customer_id, order_id, issued_at, language, body)
        values (:customer_id, :order_id, :at, :language, :body)
        on conflict (customer_id, order_id) do nothing
        """,
        language=language_of(connection, customer_id, order_id),
        customer_id=customer_id,
        order_id=order_id,
        at=at,
        body=compact(facts),
    )


def confirmation(connection: Connection, customer_id: str, order_id: str) -> Confirmation:
    """Return the confirmation of an order. Raises: NotFound."""
    query = "select issued_at, language, body from confirmation where customer_id = :customer_id and order_id = :order_id"
    issued = row(connection, query, customer_id=customer_id, order_id=order_id)
    if issued is None:
        raise NotFound("no such confirmation")
    told = json.loads(issued["body"])
    facts = cast(ConfirmationFacts, {"model_text": FRENCH_TEXT.get(told["market"], ""), "legal_source": "", **told})
    return Confirmation(issued_at=issued["issued_at"], language=issued["language"], facts=facts)


def _line(every: list[OrderLine], line: OrderLine) -> ConfirmedLine:
    plan = line["plan"]
    has_device = line["listing"] is not None
    return {
        "quantity": line["quantity"],
        "listing": agreed_listing(every, {"line_no": line["line_no"], "agreed": None}) if has_device else None,
        "plan": plan["name"] if plan else None,
        "commitment_months": plan["commitment_months"] if plan else 0,
        "options": [option["name"] for option in line["options"]],
        "totals": line["totals"],
        "exit_after_12_cents": line["exit_after_12_cents"],
    }
