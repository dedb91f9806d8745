"""`/console/fleet` and `/console/corners/…`: the whole fleet as one picture and as a list, and a page for each corner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, render_template, request

from marketplace.db import reading
from marketplace.fleet import corner_list, picture
from marketplace.fleet.corner_list import SORTS, STATES, View
from marketplace.fleet.enrolments import VALID_MINUTES, start_enrolment
from marketplace.fleet.picture import Group
from marketplace.fleet.standings import KEPT, fold
from marketplace.web import marketplace
from pos import clock
from sync.faults import FAULTS, Severity, severity
from sync.heads import RINGS
from sync.heartbeats import CODE

LONGEST = 80
SILENCES_S = (900, 3600, 86_400, 604_800)
PRINTERS = ("ok", "fault", "offline", "unknown", "none")
TEXTS = ("market", "ring", "state", "fault", "printer", "software", "words", "silent", "behind", "first", "last", "sort", "way")
DAYS = 7
MOST_CHANGES = 60

pages = Blueprint("fleet", __name__)


@pages.get("/fleet")
def home() -> str:
    """Show the whole fleet at a glance, and the corners asked for."""
    now = clock.now()
    view = _read_view()
    with reading(marketplace().engine) as connection:
        groups = picture.picture(connection, now)
        corners, has_more = corner_list.corners(connection, view, now)
        choices = corner_list.choices(connection)
    counts = Counter(dict.fromkeys(STATES, 0))
    for group in groups:
        counts.update(group.counts)
    asked = {name: text for name in TEXTS if (text := request.args.get(name, "").strip()[:LONGEST])}
    return render_template(
        "marketplace/fleet/fleet.html",
        now=now,
        since=lambda at: _seconds(now, at),
        groups=groups,
        squares=_squares,
        counts=counts,
        states=STATES[::-1],
        worst=severity,
        corners=corners,
        next=_link(asked, after=_after(corners[-1], view)) if has_more else None,
        first=_link(asked) if request.args.get("after") else None,
        sorted_by=lambda name: _sort_link(asked, view, name),
        view=view,
        asked=asked,
        choices=choices | {"ring": RINGS, "printer": PRINTERS, "silent": SILENCES_S, "fault": sorted(FAULTS)},
        link=lambda **values: _link(values),
    )


@pages.get("/corners/<corner_id>")
def corner(corner_id: str) -> str:
    """Show one corner: its devices, what they said, what happened, what was taken away from there."""
    now = clock.now()
    with reading(marketplace().engine) as connection:
        standing = corner_list.corner(connection, corner_id, now)
        history = corner_list.history(connection, corner_id, since=clock.to_text(now - KEPT))
        devices = corner_list.devices(connection, corner_id)
        return render_template(
            "marketplace/fleet/corner.html",
            now=now,
            since=lambda at: _seconds(now, at),
            corner=standing,
            ring_names=RINGS,
            said=next((each["heartbeat"] for each in devices if each["key_id"] == standing["key_id"]), {}),
            devices=devices,
            days=list(_days(history, now)),
            changes=list(_changes(history))[::-1][:MOST_CHANGES],
            events=corner_list.events(connection, corner_id, standing["key_id"]) if standing["key_id"] else [],
            slips=corner_list.slips(connection, corner_id),
            orders=corner_list.orders(connection, corner_id),
            worst=severity,
        )


@pages.post("/corners/<corner_id>/enrolments")
def enrolments(corner_id: str) -> str:
    """Make a one-time code for a corner and show it, once."""
    now = clock.now()
    code = start_enrolment(marketplace().engine, corner_id, must_confirm=True, now=now)
    until = clock.to_text(now + timedelta(minutes=VALID_MINUTES))
    return render_template("marketplace/fleet/code.html", code=code, corner_id=corner_id, until=until)


def _squares(group: Group, words: dict[str, str]) -> Iterator[tuple[str, str, str, int]]:
    """Yield the state, address, title and number of each square of the picture: hundreds, so put together here."""
    block = _link({}, market=group.market, ring=group.ring).partition("#")[0]
    for cell in group.cells:
        (state, _), *_ = by_state = cell.by_state
        if cell.corner_id:
            yield state, f"/console/corners/{quote(cell.corner_id)}", f"{cell.first_no} · {cell.name} · {words[state]}", 0
        else:
            counts = "".join(f" · {count} {words[name]}" for name, count in by_state)
            address = f"{block}&first={cell.first_no}&last={cell.last_no}#corners"
            yield state, address, f"{cell.first_no}–{cell.last_no}{counts}", cell.troubled


def _read_view() -> View:
    """Return what the address asks for; what makes no sense is left out, as if it were not asked."""
    args = request.args
    view = View(
        market=_text("market"),
        ring=_one_of("ring", RINGS),
        state=_one_of("state", STATES),
        fault=_text("fault") if CODE.fullmatch(_text("fault")) else "",
        printer=_one_of("printer", PRINTERS),
        software=_text("software"),
        words=fold(_text("words")),
        silent_s=_whole("silent"),
        behind=_whole("behind"),
        first_no=_whole("first"),
        last_no=_whole("last"),
        sort=_one_of("sort", tuple(SORTS)) or "trouble",
        is_reversed=args.get("way") == "back",
    )
    value, _, corner_id = args.get("after", "")[: 2 * LONGEST].rpartition("~")
    is_number = view.sort in ("trouble", "number", "pending")
    if not corner_id or (is_number and not _is_whole(value)):
        return view
    return replace(view, after=(int(value) if is_number else value, corner_id))


def _text(name: str) -> str:
    return request.args.get(name, "").replace("\x00", "").strip()[:LONGEST]


def _one_of(name: str, known: Iterable[str]) -> str:
    text = _text(name)
    return text if text in known else ""


def _whole(name: str) -> int | None:
    text = _text(name)
    return int(text) if _is_whole(text) else None


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _link(asked: dict[str, Any], **values: Any) -> str:
    """Return the address of a view of the list; the picture above it stays where it is."""
    return f"/console/fleet?{urlencode({name: value for name, value in {**asked, **values}.items() if value != ''})}#corners"


def _sort_link(asked: dict[str, str], view: View, name: str) -> str:
    is_other_way = view.sort == name and not view.is_reversed
    return _link(asked, sort=name, way="back" if is_other_way else "")


def _after(last: dict[str, Any], view: View) -> str:
    return f"{corner_list.sort_value(last, view.sort)}~{last['corner_id']}"


def _seconds(now: datetime, at: str | None) -> int | None:
    return max(0, int((now - clock.from_text(at)).total_seconds())) if at else None


def _days(history: list[dict[str, Any]], now: datetime) -> Iterator[tuple[str, list[str]]]:
    """Yield the last days, the newest first, each with its hours in UTC: not heard, heard, heard with a fault; or yet to come."""
    hours: dict[str, str] = {}
    for each in history:
        is_bad = any(severity(code) >= Severity.ACT for code in each["faults"])
        hours[each["at"][:13]] = "fault" if is_bad or hours.get(each["at"][:13]) == "fault" else "ok"
    for back in range(DAYS):
        day = clock.to_text(now - timedelta(days=back))[:10]
        names = [f"{day}T{hour:02d}" for hour in range(24)]
        yield day, [hours.get(name, "silent" if name <= clock.to_text(now)[:13] else "ahead") for name in names]


def _changes(history: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what changed from each state to the next: the field, what it was, what it became."""
    before: dict[str, Any] = {}
    for each in history:
        if before:
            for name in ("publication", "line", "ring", "software", "printer", "key_id", "waits"):
                if each[name] != before[name]:
                    yield {"at": each["at"], "what": name, "was": before[name], "is": each[name]}
            for code in sorted(set(each["faults"]) ^ set(before["faults"])):
                yield {"at": each["at"], "what": "fault", "was": None, "is": code, "ended": code in before["faults"]}
        else:
            yield {"at": each["at"], "what": "first", "was": None, "is": each["publication"]}
        before = each
