"""Who stands at the kiosk: the shop's door in a store, and what a visit sets and leaves, language and view.

What a visitor chose lives in cookies that leaving clears; their selection is deleted then too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from flask import g, request

import templates
from kiosk import calls, comparisons, files, selections, speech
from pos import clock, demo_devices, languages
from pos.catalog import currency
from pos.errors import Unavailable
from pos.offers import Offer
from pos.price_past import PricePast, remembered_past
from pos.scans import Scan, place_value
from pos.throttle import Execute
from shop import door, web
from shop.door import Door, Visitor

STAFF = ("/counter", "/enrolment")
"""Where those who work here are spoken with."""

T = TypeVar("T")


def door_of(kiosk: files.Kiosk) -> Door:
    """Return the door of a kiosk: its own catalogue, and selections in its records."""
    return Door(
        part="kiosk",
        frame="kiosk/base.html",
        ending="kiosk/ending.html",
        visitor=visitor,
        catalog=files.catalog,
        pictures=kiosk.media,
        read=_read,
        write=_write,
        market=lambda: "",
        price_past=_price_past,
        companion="kiosk/companion.html",
        keeper="kiosk/comparison.html",
        table=_table,
        lying=_lying,
    )


def _table() -> frozenset[int]:
    """Return the SKUs of this corner's demo devices; none before enrolment."""
    corner = files.corner_or_none()
    return frozenset(spot["sku_id"] for spot in corner.planogram) if corner else frozenset()


def _lying(scan: Scan) -> int | None:
    """Return the SKU of the demo device with a scanned tag, or of the one that belongs to a scanned place of this table."""
    corner = files.corner_or_none()
    if corner is None:
        return None
    for device in demo_devices.devices(files.ops(), corner):
        if scan.value == (device.demo_id if scan.kind == "device" else place_value(corner.corner_id, device.position)):
            return device.sku_id
    return None


def visitor() -> Visitor:
    """Return who stands here: the language and market of this request from its cookies, within what the corner speaks."""
    corner = files.corner_or_none()
    known = languages.offered("kiosk", templates.PATH, to_staff=request.path.startswith(STAFF))
    spoken = languages.spoken_among(corner.languages if corner else known, known)
    wished = request.cookies.get(web.LANGUAGE_COOKIE)
    return Visitor(
        language=wished if wished in spoken else spoken[0],
        spoken=spoken,
        currency=corner.currency if corner else _market_currency(),
        time_zone=corner.time_zone if corner else clock.HOME_ZONE,
        partner_id=corner.partner.get("partner_id") if corner else None,
        categories=tuple(corner.partner.get("categories") or ()) if corner else (),
        tax_included=corner.tax_included if corner else True,
    )


def has_begun() -> bool:
    """Tell whether this visitor entered anything yet: a wish about language or view, a call, a search, a choice.

    Who only looked around is expected to have gone sooner.
    """
    kept = (web.LANGUAGE_COOKIE, web.VIEW_COOKIE, calls.COOKIE)
    is_choosing = "selection_id" in g or "selection_id" in (request.view_args or {})
    return is_choosing or request.method == "POST" or bool(request.args) or any(name in request.cookies for name in kept)


def frame_context() -> dict[str, Any]:
    """Return what the frame of every page shows beside what all doors' pages see."""
    return {
        "corner": files.corner_or_none(),
        "call": calls.own_call(),
        "has_voice": files.kiosk().voice.speaks(door.visitor().language),
        "is_begun": has_begun(),
        "standing_of": selections.standing_of,
        "kept_of": comparisons.kept_of,
        "volume": speech.volume(),
    }


def _price_past(offer: Offer) -> PricePast | None:
    """Return what this corner proposed in the grade of an offer before, as far as it remembers."""
    pair = {"sku_id": offer.sku_id, "grade_id": offer.grade_id}
    return remembered_past(files.catalog(), **pair, now_cents=offer.all_in_cents, now=clock.now())


@contextmanager
def _read() -> Iterator[Execute]:
    yield files.ops().execute


def _write(work: Callable[[Execute], T]) -> T:
    with files.ops_store().write() as ops:
        return work(ops.execute)


def _market_currency() -> str:
    """Return the currency of the catalogue, for a kiosk that does not know its corner."""
    try:
        return currency(files.catalog()) or "EUR"
    except Unavailable:
        return "EUR"
