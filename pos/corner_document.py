"""What a corner document must hold (`pos.corners.CornerDocument`), so that every page can show it.

What HQ asks of a corner in a feed is in `marketplace.feeds.shapes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from pos.business_days import DAY_BEGINS_HOUR, LATEST_HOUR
from pos.rows import PartnerRow, wrong_in
from pos.shapes import Currency, Id, Key, Name, Ring, Shape, TimeZone, Web, Word

Argon2id = Annotated[str, Field(max_length=300, pattern=r"^\$argon2id\$[\x21-\x7e]+$")]
Count = Annotated[int, Field(ge=0, le=2**31)]
TagNumber = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{8}$")]
"""The number on a demo device's tag, in Crockford base32 (`pos.scans`)."""
Drawn = Annotated[int, Field(ge=1, le=40)]
"""A row or column of the table's drawing."""


class SpotShape(Shape):
    """A place on the table and the demo device that lies there."""

    position: Name
    sku_id: Id
    demo_id: TagNumber | None = None
    row: Drawn | None = None
    column: Drawn | None = None


class ClerkShape(Shape):
    """Somebody who helps at the corner, with the hash of their one-time code, or of their PIN as an older HQ sends it."""

    clerk_id: Name
    name: Name
    role: Literal["clerk", "manager", "support"] = "clerk"
    state: Literal["active", "suspended"] = "active"
    change_no: Count = 0
    reset_no: Count = 0
    code_hash: Argon2id = ""
    pin_hash: Argon2id = ""


DayBegins = Annotated[int, Field(ge=0, le=LATEST_HOUR)]
Planogram = Annotated[list[SpotShape], Field(max_length=500)]
Clerks = Annotated[list[ClerkShape], Field(max_length=500)]


class CornerShape(Shape):
    """What one corner's kiosk is told of itself."""

    corner_id: Key
    corner_no: Id
    name: Name
    city: Name
    market: Key
    currency: Currency
    tax_included: bool
    languages: Annotated[list[Word], Field(min_length=1, max_length=40)]
    time_zone: TimeZone
    day_begins_hour: DayBegins = DAY_BEGINS_HOUR
    ring: Ring = "stable"
    phone: Name
    support_phone: Name | None = None
    paper_mm: Literal[80, 58]
    panel: Name | None = None
    slip_prefix: Annotated[Web, Field(max_length=500)]
    partner: PartnerRow
    planogram: Planogram
    clerks: Clerks


ENTRIES: dict[str, type[Shape]] = {"planogram": SpotShape, "clerks": ClerkShape}
"""The shape of each entry of the lists that go on without one."""


def without_unfit(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without the spots and clerks that could not be shown: they must not take the corner along."""
    fit = {name: list(_fit(shape, document[name])) for name, shape in ENTRIES.items() if isinstance(document.get(name), list)}
    return {**document, **fit}


def _fit(shape: type[Shape], entries: list[Any]) -> Iterator[Any]:
    return (each for each in entries if next(wrong_in(shape, each), None) is None)
