"""The corner this kiosk stands in, as HQ's corner document describes it: its table of demo devices, clerks, partner, paper."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NotRequired, TypedDict, cast

from sqlite_utils import Database

from pos import clock
from pos.business_days import DAY_BEGINS_HOUR
from pos.catalog import EDITION
from pos.db import Store
from pos.errors import Invalid, NotFound
from pos.ops import setting, store_setting
from pos.panels import PanelName, known_panel
from pos.planogram import Spot

JUDGED = "corner_judged"
"""The setting that names the corner document which was judged when it was stored."""


class Partner(TypedDict):
    """The carrier or brand whose store a corner stands in; one that names `categories` shows those alone, in its colour.

    HQ may send more of it.
    """

    partner_id: str
    name: str
    color: NotRequired[str | None]
    categories: NotRequired[list[str]]


class Clerk(TypedDict):
    """Somebody who helps at the corner, as HQ tells it; `pos.team` reads it with what was changed here since.

    `pin_hash` is all that an older HQ sends of their secret; with `code_hash` the corner sets the PIN itself.
    """

    clerk_id: str
    name: str
    role: NotRequired[str]
    state: NotRequired[str]
    change_no: NotRequired[int]
    reset_no: NotRequired[int]
    code_hash: NotRequired[str]
    pin_hash: NotRequired[str]


class CornerDocument(TypedDict):
    """What HQ tells one corner's kiosk of itself, as JSON; `pos.corner_document` judges it. More may stand in it."""

    corner_id: str
    corner_no: int
    name: str
    city: str
    market: str
    currency: str
    tax_included: bool
    languages: list[str]
    time_zone: str
    day_begins_hour: NotRequired[int]
    ring: NotRequired[str]
    phone: str
    support_phone: NotRequired[str]
    paper_mm: int
    panel: NotRequired[str]
    slip_prefix: str
    partner: Partner
    planogram: list[Spot]
    clerks: list[Clerk]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """A corner document, read.

    `ring` says when it gets what is on trial ("canary", "early", "stable"). `slip_prefix` begins a slip's URL.
    `day_begins_hour` is the local hour up to which the business day before goes on (`pos.business_days`).
    `support_phone` is whom clerks call at HQ, where it says. `panel` is the customers' screen, where HQ says a known one.
    """

    corner_id: str
    corner_no: int
    name: str
    city: str
    market: str
    currency: str
    tax_included: bool
    languages: tuple[str, ...]
    time_zone: str
    day_begins_hour: int
    ring: str
    phone: str
    support_phone: str
    paper_mm: int
    panel: PanelName | None
    slip_prefix: str
    partner: Partner
    planogram: tuple[Spot, ...]
    clerks: tuple[Clerk, ...]


def read_corner(document: dict[str, Any]) -> Corner:
    """Read a corner document, leaving out spots and clerks that could not be shown.

    Raises: Invalid with the `field` and the `reason` of anything else that a page could not show.
    """
    # pydantic is not for commands that know no corner.
    from pos.corner_document import CornerShape, without_unfit  # noqa: PLC0415 - as above
    from pos.rows import wrong_in  # noqa: PLC0415 - as above

    document = without_unfit(document)
    for field, reason in wrong_in(CornerShape, document):
        raise Invalid(f"{field}: {reason}", field=field, reason=reason)
    return _corner_of(cast(CornerDocument, document))


def store_corner(ops: Database, document: dict[str, Any]) -> None:
    """Keep a corner document, and that it was judged, so that no start judges it again; runs inside the caller's `write`.

    What was changed here of somebody whom HQ named before and names no more goes with them, of another corner everything.
    Raises: Invalid as `read_corner`.
    """
    corner = read_corner(document)
    before_id, before = _people(setting(ops, "corner"))
    if before_id != corner.corner_id:
        ops.execute("delete from clerk_change")
    for clerk_id in before - _people(document)[1]:
        ops.execute("delete from clerk_change where clerk_id = ?", [clerk_id])
    is_whole = (*corner.planogram, *corner.clerks) == (*document["planogram"], *document["clerks"])
    store_setting(ops, "corner", document)
    [(text,)] = ops.execute("select value from setting where name = 'corner'")
    store_setting(ops, JUDGED, _name_of(text) if is_whole else None)


def judge_stored(store: Store) -> None:
    """Judge a document that an earlier edition judged, and keep that it was, so that one start does and no other.

    Raises: Invalid as `read_corner`, DatabaseError, OSError; the document then stays as it was.
    """
    text, mark = _stored(store.read())
    name = json.loads(mark or "null")
    if name and name != _name_of(text) and name.partition(" ")[2] == _name_of(text).partition(" ")[2]:
        with store.write() as ops:
            store_corner(ops, json.loads(text))


def _people(document: Any) -> tuple[Any, set[str]]:
    """Return a document's corner and the ids of everybody it names, of any form, those that could not be shown included."""
    told = document if isinstance(document, dict) else {}
    clerks = told.get("clerks")
    named = [clerk for clerk in clerks if isinstance(clerk, dict)] if isinstance(clerks, list) else []
    return told.get("corner_id"), {str(clerk.get("clerk_id")) for clerk in named}


def _name_of(text: str) -> str:
    """Name a document as stored, and the edition of what it was judged by."""
    return f"{EDITION} {hashlib.sha256(text.encode()).hexdigest()}"


def _corner_of(document: CornerDocument) -> Corner:
    return Corner(
        corner_id=document["corner_id"],
        corner_no=document["corner_no"],
        name=document["name"],
        city=document["city"],
        market=document["market"],
        currency=document["currency"],
        tax_included=document["tax_included"],
        languages=tuple(document["languages"]),
        time_zone=document["time_zone"],
        day_begins_hour=document.get("day_begins_hour", DAY_BEGINS_HOUR),
        ring=document.get("ring", "stable"),
        phone=document["phone"],
        support_phone=document.get("support_phone") or "",
        paper_mm=document["paper_mm"],
        panel=known_panel(document.get("panel")),
        slip_prefix=document["slip_prefix"],
        partner=document["partner"],
        planogram=tuple(document["planogram"]),
        clerks=tuple(document["clerks"]),
    )


def corner(ops: Database) -> Corner:
    """Return the corner this kiosk is enrolled in.

    Raises: NotFound before enrolment, and while the document is one that no page could show.
    """
    text, mark = _stored(ops)
    if not text:
        raise NotFound("this kiosk is not enrolled")
    try:
        return _read_text(text, mark)
    except Invalid as problem:
        # It must not take the screens down: the next round may bring another.
        raise NotFound(f"the corner document cannot be read: {problem.detail}") from problem


def _stored(ops: Database) -> tuple[str, str]:
    """Return the document's JSON text and that of what was judged last; `""` for what is not there."""
    stored = dict(ops.execute("select name, value from setting where name in ('corner', ?)", [JUDGED]).fetchall())
    return stored.get("corner", ""), stored.get(JUDGED, "")


def zone_of(ops: Database) -> str:
    """Return the time zone this kiosk stands in."""
    try:
        return corner(ops).time_zone
    except NotFound:
        return clock.HOME_ZONE


@lru_cache(maxsize=8)
def _read_text(text: str, judged: str) -> Corner:
    """Read a corner document as it is stored; every page asks for it, and the same text is the same corner.

    `judged` is the JSON text of what was last judged when it was stored: only another document is judged here, since loading what
    judges costs a kiosk a quarter of a second before its first page.
    """
    document = json.loads(text)
    return _corner_of(document) if judged == json.dumps(_name_of(text)) else read_corner(document)
