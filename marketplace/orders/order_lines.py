"""A line of a slip as pages show it and an order keeps it: plain JSON, frozen at the moment of ordering.

Invariant: the keys and their meaning never change, since orders placed stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict, cast

from marketplace.orders.repricing import Basis, Comparison, ListingTerms, PricedWish, all_in_cents
from pos.bodies import Acquisition, Names, OptionBody, PlanBody, SummaryFacts
from pos.credit import CreditFacts
from pos.errors import NotFound
from pos.laws import Laws
from pos.line_rules import credit_of, exit_after_a_year
from pos.months import Span, spans
from pos.skus import title
from pos.totals import TotalsFacts


class SoldBy(TypedDict):
    """A seller's names; None where HQ's row of it could not be read."""

    name: str | None
    legal_name: str | None


class OrderedListing(TypedDict):
    """The device of a line; cents are for one unit. What HQ's rows no longer say is None."""

    listing_id: int
    seller_id: int
    title: str
    storage_gb: int | None
    color: Names | None
    grade: Names | None
    seller: SoldBy
    all_in_cents: int
    delivery_days: int
    warranty_months: int
    vat_note: Literal["margin", "regular"]
    battery_pct: int | None
    new_battery: bool


class OrderedPlan(TypedDict):
    """The plan of a line, with its contract summary; orders placed before carriers were asked lack that."""

    name: Names
    plan_id: int
    data_gb: int
    commitment_months: int
    summary: NotRequired[SummaryFacts]


class OrderedOption(TypedDict):
    """An option of a line; cents are for one unit. Orders of the first version lack them."""

    name: Names
    option_id: int
    one_off_cents: NotRequired[int]
    monthly_cents: NotRequired[int]


class Amounts(TypedDict):
    """What a line costs at one moment: one unit's device, and all units' totals and months."""

    device_cents: int | None
    totals: TotalsFacts
    months: Sequence[Span]


class Replacement(TypedDict):
    """What is proposed for a device that is gone."""

    listing: OrderedListing
    totals: TotalsFacts
    months: Sequence[Span]


class Printed(TypedDict):
    """What the slip's token says of the line, all units together."""

    one_off_cents: int
    monthly_cents: int


class OrderLine(TypedDict):
    """A line: names, then, now, what the customer gets. `credit` is for one unit, `exit_after_12_cents` for all (L224-28).

    `acquisition` is there once it is ordered, None where nobody said how the number comes.
    """

    line_no: int
    quantity: int
    basis: Basis
    then: Amounts | None
    now: Amounts | None
    totals: TotalsFacts | None
    printed: Printed
    differs_from_print: bool
    listing: OrderedListing | None
    plan: OrderedPlan | None
    options: list[OrderedOption]
    instead: Replacement | None
    credit: CreditFacts | None
    exit_after_12_cents: int | None
    acquisition: NotRequired[Acquisition | None]


class UnitOfLine(TypedDict):
    """Which line a unit is of, and the device that was agreed for it alone, as JSON."""

    line_no: int
    agreed: str | None


def order_line(line: Comparison, laws: Laws) -> OrderLine:
    """Return a line as it would be ordered now, by the laws in force."""
    shown, chosen = line.shown, line.chosen
    credit = credit_of(chosen.line, laws) if chosen else None
    return {
        "line_no": line.line_no,
        "quantity": line.wish.quantity,
        "basis": line.basis,
        "then": _amounts(line.then),
        "now": _amounts(line.now),
        "totals": chosen.totals.to_facts() if chosen else None,
        "printed": {"one_off_cents": line.wish.one_off_cents, "monthly_cents": line.wish.monthly_cents},
        "differs_from_print": line.differs_from_print,
        "listing": ordered_listing(shown.listing) if shown and shown.listing else None,
        "plan": _plan(line.wish.plan_id, shown.plan) if shown and shown.plan else None,
        "options": [_option(option_id, option) for option_id, option in zip(line.wish.option_ids, shown.options, strict=True)]
        if shown
        else [],
        "instead": _replacement(line.instead),
        "credit": credit.to_facts() if credit else None,
        "exit_after_12_cents": exit_after_a_year(chosen.line, laws) if chosen else None,
    }


def agreed_listing(lines: Sequence[OrderLine], unit: UnitOfLine) -> OrderedListing:
    """Return the device a unit is: its own where it took another's place, else its line's, as the customer took that.

    Raises: NotFound.
    """
    if unit["agreed"] is not None:
        return cast(OrderedListing, json.loads(unit["agreed"]))
    line = next((line for line in lines if line["line_no"] == unit["line_no"]), None)
    replacement = line["instead"] if line and line["basis"] == "replaced" else None
    listing = replacement["listing"] if replacement else line["listing"] if line else None
    if listing is None:
        raise NotFound("no device was agreed for this unit")
    return listing


def _amounts(priced: PricedWish | None) -> Amounts | None:
    if priced is None:
        return None
    return {
        "device_cents": all_in_cents(priced.listing) if priced.listing else None,
        "totals": priced.totals.to_facts(),
        "months": spans((priced.line,)),
    }


def _replacement(priced: PricedWish | None) -> Replacement | None:
    if priced is None or priced.listing is None:
        return None
    return {"listing": ordered_listing(priced.listing), "totals": priced.totals.to_facts(), "months": spans((priced.line,))}


def ordered_listing(listing: ListingTerms) -> OrderedListing:
    """Return a device as it is agreed on."""
    sku, seller, grade = listing["sku"], listing["seller"], listing["grade"]
    color = sku.get("color") if sku else None
    return {
        "listing_id": listing["listing_id"],
        "seller_id": listing["seller_id"],
        "title": title(sku) if sku else f"SKU {listing['sku_id']}",
        "storage_gb": sku["storage_gb"] if sku else None,
        "color": color["name"] if color else None,
        "grade": grade["name"] if grade else None,
        "seller": {"name": seller["name"] if seller else None, "legal_name": seller["legal_name"] if seller else None},
        "all_in_cents": all_in_cents(listing),
        "delivery_days": listing["delivery_days"],
        "warranty_months": listing["warranty_months"],
        "vat_note": listing["vat_note"],
        "battery_pct": listing["battery_pct"],
        "new_battery": bool(listing["new_battery"]),
    }


def _plan(plan_id: int, plan: PlanBody) -> OrderedPlan:
    return {
        "name": plan["name"],
        "plan_id": plan_id,
        "data_gb": plan["data_gb"],
        "commitment_months": plan["commitment_months"],
        "summary": plan["summary"],
    }


def _option(option_id: int, option: OptionBody) -> OrderedOption:
    return {
        "name": option["name"],
        "option_id": option_id,
        "one_off_cents": option["one_off_cents"],
        "monthly_cents": option["monthly_cents"],
    }
