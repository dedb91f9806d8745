"""The facts a slip is made from, frozen in it: whoever reads it later needs nothing else.

Invariant: the keys and their meaning never change, since slips printed and told to HQ stay as they are (docs/protocol.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NotRequired, TypedDict

from sqlite_utils import Database

from pos import clock, tokens
from pos.catalog import publication
from pos.comparisons import compared_facts
from pos.corners import Corner, Partner
from pos.laws import Guarantees, guarantees, laws_on
from pos.line_facts import LineFacts
from pos.selections import Priced
from pos.totals import TotalsFacts

VALIDITY_HOURS = 336


class CornerFacts(TypedDict):
    """Where a slip was made."""

    corner_id: str
    corner_no: int
    name: str
    city: str
    phone: str
    time_zone: str


class SlipFacts(TypedDict):
    """Everything a slip was made from: frozen in it, told to HQ in its event, read for ever (docs/protocol.md).

    Times are UTC texts. `tax_included` is missing from slips of the first version.
    """

    format: Literal[1]
    number: str
    market: str
    currency: str
    tax_included: NotRequired[bool]
    language: str
    publication: int
    issued_at: str
    valid_until: str
    corner: CornerFacts
    partner: Partner
    lines: list[LineFacts]
    totals: TotalsFacts
    guarantees: Guarantees


def slip_facts(
    catalog: Database,
    corner: Corner,
    priced: Priced,
    *,
    counter: int,
    issued: datetime,
    language: str,
    compared: Sequence[str] = (),
) -> SlipFacts:
    """Return the facts of a slip issued in this corner at this minute, by the laws of its day.

    `compared` are the codes of the SKUs that its lines are told apart from.
    """
    laws = laws_on(catalog, clock.local_day(issued, corner.time_zone))
    return {
        "format": 1,
        "number": tokens.slip_number(corner.corner_no, counter),
        "market": corner.market,
        "currency": corner.currency,
        "tax_included": corner.tax_included,
        "language": language,
        "publication": publication(catalog),
        "issued_at": clock.to_text(issued),
        "valid_until": clock.to_text(issued + timedelta(hours=VALIDITY_HOURS)),
        "corner": {
            "corner_id": corner.corner_id,
            "corner_no": corner.corner_no,
            "name": corner.name,
            "city": corner.city,
            "phone": corner.phone,
            "time_zone": corner.time_zone,
        },
        "partner": corner.partner,
        "lines": [_with_comparison(catalog, line.facts, compared) for line in priced.lines if line.facts is not None],
        "totals": priced.totals.to_facts(),
        "guarantees": guarantees(laws),
    }


def _with_comparison(catalog: Database, line: LineFacts, codes: Sequence[str]) -> LineFacts:
    told = compared_facts(catalog, line["listing"], codes) if line["listing"] and codes else []
    return {**line, "compared": told} if told else line
