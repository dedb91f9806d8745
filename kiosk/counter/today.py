"""The counter's first page: today's slips, and how the corner is."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request

from kiosk import files, status
from kiosk.counter.sessions import for_clerks
from kiosk.printing import print_jobs
from kiosk.slips import printer_state
from pos import clock, slips
from pos.scans import codes_in
from pos.tokens import MangledNumber
from shop import web

routes = Blueprint("counter_today", __name__, url_prefix="/counter")


@routes.get("/")
@for_clerks
def today() -> Response:
    """Show today's slips and how the corner is."""
    asked = request.args.get("number", "").strip()
    if asked:
        number = next((scan.value for scan in codes_in(asked) if scan.kind == "slip"), None)
        if number is None:
            raise MangledNumber("not a slip's code")
        return web.see_other(f"/counter/slips/{number}")
    start, end = _day(clock.now())
    todays = slips.slips_between(files.ops(), start, end)
    return web.page(
        "kiosk/counter/today.html",
        slips=todays,
        jobs=print_jobs.last_jobs(files.ops(), [slip.number for slip in todays], now=clock.now()),
        state=status.describe(),
        printer=printer_state(),
    )


def _day(now: datetime) -> tuple[str, str]:
    """Return the first moment of the corner's day and of the next, as UTC texts."""
    zone = ZoneInfo(files.corner().time_zone)
    start = datetime.combine(now.astimezone(zone).date(), time(), zone)
    end = datetime.combine(start.date() + timedelta(days=1), time(), zone)
    return clock.to_text(start.astimezone(UTC)), clock.to_text(end.astimezone(UTC))
