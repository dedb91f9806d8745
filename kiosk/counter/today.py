"""The counter's first page: today's slips, and how the corner is."""

from __future__ import annotations

from flask import Blueprint, Response, request

from kiosk import files, prices, status
from kiosk.counter.sessions import for_clerks
from kiosk.printing import print_jobs
from kiosk.slips import printer_state
from pos import clock, slips
from pos.business_days import business_day_at
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
    corner = files.corner()
    day = business_day_at(prices.trusted_now(files.ops_store()), zone=corner.time_zone, begins_hour=corner.day_begins_hour)
    todays = slips.slips_between(files.ops(), day.start, day.end)
    return web.page(
        "kiosk/counter/today.html",
        slips=todays,
        jobs=print_jobs.last_jobs(files.ops(), [slip.number for slip in todays], now=clock.now()),
        state=status.describe(),
        printer=printer_state(),
    )
