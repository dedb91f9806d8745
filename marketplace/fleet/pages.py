"""`/console/fleet` and `/console/corners/…`: the whole fleet as one picture and as a list, and a page for each corner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from flask import Blueprint, request

from marketplace.db import reading
from marketplace.fleet import corner_list, picture
from marketplace.fleet.corner_list import STATES
from marketplace.fleet.day_reports import CornerDay, newest_days
from marketplace.fleet.enrolments import VALID_MINUTES, start_enrolment
from marketplace.fleet.picture import Group
from marketplace.fleet.standings import KEPT
from marketplace.fleet.views import PRINTERS, Asked, link, read_asked
from marketplace.web import marketplace
from pos import clock
from shop.web import render_template
from sync.faults import UNKNOWN, Severity, faults, severity
from sync.heads import RINGS

SILENCES_S = (900, 3600, 86_400, 604_800)
DAYS = 7
MOST_CHANGES = 60
CHANGING = ("publication", "line", "ring", "software", "printer", "key_id", "waits")
"""What a corner says of itself that the list of its changes names."""

pages = Blueprint("fleet", __name__)


@dataclass(frozen=True, slots=True)
class FleetPage:
    """The fleet at a glance, by market and ring, and the page of `corners` that is asked for."""

    now: datetime
    groups: tuple[Group, ...]
    corners: list[dict[str, Any]]
    has_more: bool
    asked: Asked
    choices: dict[str, Any]

    states: ClassVar[tuple[str, ...]] = STATES[::-1]
    """The worst first."""

    @property
    def counts(self) -> Counter[str]:
        """How many corners are in each state."""
        counts = Counter(dict.fromkeys(STATES, 0))
        for group in self.groups:
            counts.update(group.counts)
        return counts

    @property
    def next(self) -> str | None:
        """The address of the corners after these."""
        return self.asked.next_link(self.corners[-1]) if self.has_more else None

    def since(self, at: str | None) -> int | None:
        """Return how many seconds ago `at` (UTC text) was."""
        return _seconds(self.now, at)

    def squares(self, group: Group, words: Mapping[str, str]) -> Iterator[tuple[str, str, str, int]]:
        """Yield the state, address, title and number of each square of the picture: hundreds, so put together here."""
        block = link({}, market=group.market, ring=group.ring).partition("#")[0]
        for cell in group.cells:
            (state, _), *_ = by_state = cell.by_state
            if cell.corner_id:
                yield state, f"/console/corners/{quote(cell.corner_id)}", f"{cell.first_no} · {cell.name} · {words[state]}", 0
            else:
                counts = "".join(f" · {count} {words[name]}" for name, count in by_state)
                address = f"{block}&first={cell.first_no}&last={cell.last_no}#corners"
                yield state, address, f"{cell.first_no}–{cell.last_no}{counts}", cell.troubled


@dataclass(frozen=True, slots=True)
class CornerPage:
    """One corner: how it stands, its devices, its states of the last days, and what came from there."""

    now: datetime
    corner: dict[str, Any]
    devices: list[dict[str, Any]]
    history: list[dict[str, Any]]
    came: Came

    ring_names: ClassVar[tuple[str, ...]] = RINGS

    @property
    def said(self) -> dict[str, Any]:
        """What the corner's device said of itself last."""
        return next((device["heartbeat"] for device in self.devices if device["key_id"] == self.corner["key_id"]), {})

    @property
    def days(self) -> Iterator[tuple[str, list[str]]]:
        """The last days, the newest first, each with its hours in UTC: not heard, heard, heard with a fault; or yet to come."""
        return _days(self.history, self.now)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What changed from each state to the next, the newest first."""
        return list(_changes(self.history))[::-1][:MOST_CHANGES]

    def since(self, at: str | None) -> int | None:
        """Return how many seconds ago `at` (UTC text) was."""
        return _seconds(self.now, at)


@dataclass(frozen=True, slots=True)
class Came:
    """The newest of what came from a corner."""

    events: list[dict[str, Any]]
    slips: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    days: list[CornerDay]


@dataclass(frozen=True, slots=True)
class CodePage:
    """A one-time code for a corner, good `until` then."""

    corner_id: str
    code: str
    until: str


@pages.app_template_filter("severity")
def _severity(code: str) -> int:
    """Return how bad a fault is, 1 to 3."""
    return int(severity(code))


@pages.get("/fleet")
def home() -> str:
    """Show the whole fleet at a glance, and the corners asked for."""
    now, asked = clock.now(), read_asked(request.args)
    with reading(marketplace().engine) as connection:
        groups = picture.picture(connection, now)
        corners, has_more = corner_list.corners(connection, asked.view, now)
        known = corner_list.choices(connection)
    choices = {
        **known,
        "ring": RINGS,
        "printer": PRINTERS,
        "silent": SILENCES_S,
        "fault": [code for code in faults() if code != UNKNOWN],
    }
    page = FleetPage(now, groups, corners, has_more, asked, choices)
    return render_template("marketplace/fleet/fleet.html", page=page)


@pages.get("/corners/<corner_id>")
def corner(corner_id: str) -> str:
    """Show one corner: its devices, what they said, what happened, what was taken away from there."""
    now = clock.now()
    with reading(marketplace().engine) as connection:
        standing = corner_list.corner(connection, corner_id, now)
        key_id = standing["key_id"]
        page = CornerPage(
            now=now,
            corner=standing,
            devices=corner_list.devices(connection, corner_id),
            history=corner_list.history(connection, corner_id, since=clock.to_text(now - KEPT)),
            came=Came(
                events=corner_list.events(connection, corner_id, key_id) if key_id else [],
                slips=corner_list.slips(connection, corner_id),
                orders=corner_list.orders(connection, corner_id),
                days=newest_days(connection, corner_id),
            ),
        )
    return render_template("marketplace/fleet/corner.html", page=page)


@pages.post("/corners/<corner_id>/enrolments")
def enrolments(corner_id: str) -> str:
    """Make a one-time code for a corner and show it, once."""
    now = clock.now()
    code = start_enrolment(marketplace().engine, corner_id, must_confirm=True, now=now)
    until = clock.to_text(now + timedelta(minutes=VALID_MINUTES))
    return render_template("marketplace/fleet/code.html", page=CodePage(corner_id, code, until))


def _seconds(now: datetime, at: str | None) -> int | None:
    return max(0, int((now - clock.from_text(at)).total_seconds())) if at else None


def _days(history: list[dict[str, Any]], now: datetime) -> Iterator[tuple[str, list[str]]]:
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
    for after in history:
        if before:
            for name in CHANGING:
                if after[name] != before[name]:
                    yield {"at": after["at"], "what": name, "was": before[name], "is": after[name]}
            for code in sorted(set(after["faults"]) ^ set(before["faults"])):
                yield {"at": after["at"], "what": "fault", "was": None, "is": code, "ended": code in before["faults"]}
        else:
            yield {"at": after["at"], "what": "first", "was": None, "is": after["publication"]}
        before = after
