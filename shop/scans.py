"""`/scans`: what a scanner typed on a customer's page, or a person into the search field: a device's tag, its place, an EAN.

Invariant: what is for the counter (badges, selections, slips, prints of shelf labels) leads nowhere from a customer's page, and
an answer never says whose or what it is.
"""

from __future__ import annotations

from typing import Literal, get_args

from flask import Blueprint, Response, request

from pos import skus
from pos.scans import AZERTY, KIND_OF_LETTER, Scan, codes_in
from shop import door, web
from shop.forms import with_query

routes = Blueprint("scans", __name__)

Unanswered = Literal["unknown", "elsewhere", "counter", "nothing"]
"""Why a code opens no page: no such product is known, it is of no table here, it is for clerks, or it is no code."""
MARKED = ("HTTP", *(f"{letter}{sign}" for letter in KIND_OF_LETTER for sign in "-)6"))
"""What begins a code; its hyphen is another sign where a scanner and the machine are set to different keyboards."""
FIGURES = frozenset("0123456789" + AZERTY[:10] + "!@#$%^&*()")
LEAST_EAN = 12
"""A number of fewer figures that is typed may be anything."""


@routes.post("/scans")
def scan() -> Response:
    """Look at the device that was scanned, else at why there is none. Writes nothing: a code stays out of addresses."""
    return web.see_other(_address(codes_in(request.form.get("code", ""))))


@routes.get("/scans")
def answer() -> Response:
    """Say why a code opened nothing."""
    why = request.args.get("why", "")
    return web.page("shop/scans.html", why=why if why in get_args(Unanswered) else "nothing")


def page_of(words: str) -> str | None:
    """Return where words of the search field lead that are nothing but one code, None where they are words."""
    text = words.strip()
    if not (text.upper().startswith(MARKED) or (len(text) >= LEAST_EAN and FIGURES.issuperset(text))):
        return None
    scans = codes_in(text)
    is_code = all(scan.kind not in ("nothing", "slip") or scan.digits for scan in scans)
    return _address(scans) if is_code else None


def _address(scans: list[Scan]) -> str:
    selection_id = request.values.get("s", "")[:32]
    code = next((code for scan in scans if (code := _device(scan))), None)
    if code:
        return with_query(f"/sku/{code}", s=selection_id)
    return with_query("/scans", why=_why({scan.kind for scan in scans}), s=selection_id)


def _device(scan: Scan) -> str | None:
    """Return the code of the SKU that was scanned: that of the demo device or place, or one by its EAN."""
    if scan.kind in ("device", "place"):
        sku_id = door.current().lying(scan)
        return skus.code_of_id(door.catalog(), sku_id) if sku_id is not None else None
    return skus.code_of_ean(door.catalog(), scan.value) if scan.kind == "product" else None


def _why(kinds: set[str]) -> Unanswered:
    if kinds & {"badge", "selection", "slip", "label"}:
        return "counter"
    if kinds & {"device", "place"}:
        return "elsewhere"
    return "unknown" if "product" in kinds else "nothing"
