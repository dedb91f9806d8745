"""The counter's first page: who calls, which selections wait, today's slips, and one field that finds all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request

from kiosk import files, prices, status
from kiosk.counter.sessions import for_clerks
from kiosk.printing import print_jobs
from kiosk.printing.print_jobs import PrintJob
from kiosk.printing.printers import PrinterState
from kiosk.slips import printer_state
from pos import clock, helps, shelf_labels, slips
from pos.business_days import BusinessDay, business_day, business_day_at
from pos.errors import NotFound
from pos.helps import WaitingSelection
from pos.scans import Scan, codes_in
from pos.slips import Slip
from pos.team import team
from pos.tokens import MangledNumber
from shop import web

routes = Blueprint("counter_today", __name__, url_prefix="/counter")

SHORT_CODE = re.compile(r"[0-9A-Za-z]{6}", re.ASCII)
HOUR = re.compile(r"(\d{1,2})[h:](\d{2})?", re.ASCII | re.IGNORECASE)
DATE = re.compile(r"(\d{1,2})/(\d{1,2})(?:/(\d{4}))?", re.ASCII)
LIKE_A_NUMBER = re.compile(r"\w{1,4}-\w{4,8}-\w")
"""What was meant as a slip's number, and is none: its check symbol says so."""
AROUND = timedelta(minutes=20)
SEARCHED = timedelta(days=60)
MOST_WORDS = 6
SHOWN_SLIPS = 50
"""A clerk looks for a slip among the last ones; for the others there is the field."""


class CodeUnknown(NotFound):
    """What was scanned or typed is no code of this counter, or of nothing that is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterPage:
    """The slips of today, or those that were looked for (`asked`), with their papers; what waits, and how the corner is.

    Of `count` slips the newest `SHOWN_SLIPS` stand in `slips`. `names` are the clerks' names by their ids.
    """

    asked: str
    slips: list[Slip]
    count: int
    jobs: dict[str, PrintJob]
    waiting: list[WaitingSelection]
    names: dict[str, str]
    printer: PrinterState | None
    state: Any


@routes.get("/")
@for_clerks
def today() -> Response:
    """Show who waits and today's slips, or the slips found by time, day or device; a code typed here opens what it is of."""
    asked = request.args.get("find", "").strip()
    codes = _codes(asked)
    if codes:
        return web.see_other(_place_of(codes))
    corner, ops = files.corner(), files.ops()
    start, end, words = _wanted(asked, now=prices.trusted_now(files.ops_store()))
    newest = slips.slips_between(ops, start, end, words=words, most=SHOWN_SLIPS)
    page = CounterPage(
        asked=asked,
        slips=newest,
        count=len(newest) if len(newest) < SHOWN_SLIPS else slips.count_between(ops, start, end, words=words),
        jobs=print_jobs.last_jobs(ops, [slip.number for slip in newest], now=clock.now()),
        waiting=helps.waiting_selections(ops, files.catalog()),
        names={member["clerk_id"]: member["name"] for member in team(ops, corner)},
        printer=printer_state(),
        state=status.describe(),
    )
    return web.page("kiosk/counter/today.html", page=page)


@routes.post("/scan")
@for_clerks
def scan() -> Response:
    """Open what was scanned: a slip, a customer's selection, a place or device of the table."""
    text = request.form.get("code", "")
    codes = _codes(text)
    if not codes:
        raise CodeUnknown("no code of this counter")
    return web.see_other(_place_of(codes))


def _codes(text: str) -> list[Scan]:
    """Return the codes of a text; a selection's may be typed without what it begins with when scanned."""
    codes = [scan for scan in codes_in(text) if scan.kind != "nothing"]
    signs = re.sub(r"[\s-]", "", text)
    if SHORT_CODE.fullmatch(signs):
        named = [scan for scan in codes_in(f"S-{signs}") if scan.kind == "selection"]
        # Of the words people look for, one in thirty-two has the form of a code.
        if named and helps.selections_of_code(files.ops(), named[0].value):
            return named
    return codes


def _place_of(codes: list[Scan]) -> str:
    """Return the page of the first code that has one here; a label's is place and print. Raises: CodeUnknown, LabelUnknown."""
    if any(code.kind == "label" for code in codes):
        # It is looked at: only a scan on the labels' page says that it stands at its place.
        label = shelf_labels.scanned_label(files.ops(), files.corner(), codes)
        return f"/counter/labels?scanned={label.label_no}"
    for code in codes:
        if code.kind == "slip":
            return f"/counter/slips/{code.value}"
        if code.kind == "selection":
            return _selection_of(code.value)
        if code.kind == "device":
            return f"/counter/table/devices/{code.value}"
        if code.kind == "place":
            return "/counter/table"
    raise CodeUnknown(f"nothing for a {codes[0].kind}")


def _selection_of(value: str) -> str:
    living = helps.selections_of_code(files.ops(), value)
    if not living:
        raise CodeUnknown("no living selection has this code")
    return f"/counter/selections/{living[0]}" if len(living) == 1 else "/counter/#waiting"


def _wanted(asked: str, *, now: datetime) -> tuple[str, str, list[str]]:
    """Return the span (UTC texts) in which slips are looked for, and the words they must hold: today's where nothing is asked."""
    corner = files.corner()
    day = business_day_at(now, zone=corner.time_zone, begins_hour=corner.day_begins_hour)
    hour, words, is_dated = None, [], False
    if LIKE_A_NUMBER.fullmatch(asked):
        raise MangledNumber("not a slip's number")
    for part in asked.split()[:MOST_WORDS]:
        if found := DATE.fullmatch(part):
            day, is_dated = _day_named(found, day.name), True
        elif found := HOUR.fullmatch(part):
            hour = (int(found[1]), int(found[2] or 0))
        else:
            words += part.lower().replace("-", " ").split()
    if hour is not None and hour < (24, 0) and hour[1] < 60:
        at = datetime.combine(date.fromisoformat(day.name), time(*hour), ZoneInfo(corner.time_zone))
        if clock.to_text(at) < day.start:
            at += timedelta(days=1)
        return clock.to_text(at - AROUND), clock.to_text(at + AROUND), words
    if words and not is_dated:
        return clock.to_text(now - SEARCHED), day.end, words
    return day.start, day.end, words


def _day_named(said: re.Match[str], today_name: str) -> BusinessDay:
    """Return the day somebody wrote, in the year of today where none is said, the year before where that is still to come."""
    corner, year = files.corner(), int(said[3] or today_name[:4])
    name = f"{year:04}-{int(said[2]):02}-{int(said[1]):02}"
    if not said[3] and name > today_name:
        name = f"{year - 1:04}{name[4:]}"
    return business_day(name, zone=corner.time_zone, begins_hour=corner.day_begins_hour)
