"""Sales tax where prices do not hold it: dated rows of the law, by the ZIP codes they are for.

Invariant: without a row for an address on the day of the order nothing is ordered there, and no rate stands in the code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy import Connection

from marketplace.bodies import fit_body
from marketplace.db import rows
from marketplace.orders.pricing import Pricing
from marketplace.orders.repricing import Comparison, all_in_cents
from pos.errors import Refused
from pos.law_bodies import LAW_BODIES

KIND = "sales_tax"
ZIP = re.compile(r"(?<!\d)(\d{5})(?:[\s-]?\d{4})?(?!\d)", re.ASCII)
MILLION = 1_000_000


class TaxUnknown(Refused):
    """No sales tax is known for the address, so nothing can be ordered there; nothing was ordered."""


class TaxRow(TypedDict):
    """A rate in parts per million, for ZIP codes that begin so: rates have more places than basis points."""

    zip_prefix: str
    rate_ppm: int


@dataclass(frozen=True, slots=True)
class TaxQuote:
    """The tax on what a customer orders to a ZIP code; `cents` is None where none is known, or nobody said where."""

    zip_code: str
    cents: int | None


def tax_rows(connection: Connection, market: str, day: str) -> list[TaxRow]:
    """Return the rates of a market in force on a day (`YYYY-MM-DD`)."""
    query = """
        select body from law where market = :market and kind = :kind and valid_from <= :day
          and (valid_to is null or :day < valid_to) order by valid_from desc, law_id desc
    """
    found = rows(connection, query, market=market, kind=KIND, day=day)
    return [body for row in found if (body := fit_body(LAW_BODIES[KIND], row["body"])) is not None]


def zip_of(address: str) -> str:
    """Return the ZIP code of an address as somebody typed it: the last number of that form, "" where there is none."""
    found = ZIP.findall(address)
    return str(found[-1]) if found else ""


def quote_tax(pricing: Pricing, rates: Sequence[TaxRow], zip_code: str) -> TaxQuote | None:
    """Return the tax of what is ordered; None where prices hold it already, or no device is ordered.

    A device that costs nothing with its plan is taxed all the same.
    """
    if pricing.market["tax_included"] or not pricing.has_devices:
        return None
    per_line = [(line, line_tax_cents(line, rates, zip_code)) for line in pricing.lines]
    known = [line.wish.quantity * cents for line, cents in per_line if cents is not None]
    return TaxQuote(zip_code, sum(known) if len(known) == len(per_line) else None)


def line_tax_cents(line: Comparison, rates: Sequence[TaxRow], zip_code: str) -> int | None:
    """Return the tax on one unit of a line, rounded half up to the cent; None where no rate is known, 0 without a device.

    What a partner pays of a price is taxed with it.
    """
    chosen = line.chosen
    if chosen is None or chosen.listing is None:
        return 0
    fitting = [rate for rate in rates if zip_code and zip_code.startswith(rate["zip_prefix"])]
    if not fitting:
        return None
    rate_ppm = max(fitting, key=lambda rate: len(rate["zip_prefix"]))["rate_ppm"]
    return (all_in_cents(chosen.listing) * rate_ppm * 2 + MILLION) // (2 * MILLION)
