"""The counter: what clerks do behind a PIN. Slips of the day, one slip then and now, duplicates, voids, the demo table.

A clerk's session is a cookie for these pages only; two quiet minutes end it, and every page says who is at work.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g, request

from kiosk import files, status
from kiosk.printing import print_jobs
from kiosk.slips import canonical, printer_state, send_qr
from pos import clerks, clock, corners, selections, skus, slips
from pos.errors import NotFound, WrongPin
from pos.line_facts import Wish
from pos.selections import Priced
from pos.slips import Slip
from shop import web

routes = Blueprint("counter", __name__, url_prefix="/counter")

COOKIE = "clerk"


def for_clerks(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let a clerk in and send anybody else to the door; an unsafe request also keeps the session alive."""

    @wraps(view)
    def guarded(**values: Any) -> Response:
        token, now = request.cookies.get(COOKIE, ""), clock.now()
        clerk = clerks.clerk_of_session(files.ops(), files.corner(), token, now=now) if token else None
        if clerk is None:
            return web.see_other(web.with_query("/counter/session", next=request.path if request.method == "GET" else None))
        if request.method not in web.SAFE_METHODS:
            with files.ops_store().write() as ops:
                clerks.keep_session(ops, token, now=now)
        g.clerk = clerk
        return view(**values)

    return guarded


@routes.get("/session")
def door() -> Response:
    """Ask who it is, and for the PIN."""
    return web.page(
        "kiosk/counter/login.html", clerk_id=request.args.get("clerk", ""), next=request.args.get("next", ""), problem=None
    )


@routes.post("/session")
def log_in() -> Response:
    """Open a clerk's session."""
    clerk_id, pin = request.form.get("clerk", ""), "".join(request.form.get("pin", "").split())
    onward = web.local_path(request.form.get("next"))
    try:
        token = clerks.log_in(files.ops_store(), files.corner(), clerk_id, pin, now=clock.now())
    except WrongPin as problem:
        return web.page("kiosk/counter/login.html", status=problem.status, clerk_id=clerk_id, next=onward, problem=problem)
    response = web.see_other(onward if onward.startswith("/counter") else "/counter/")
    response.set_cookie(COOKIE, token, path="/counter", samesite="Strict", httponly=True)
    return response


@routes.post("/session/end")
def log_out() -> Response:
    """End the session and go back to the customers' first screen."""
    with files.ops_store().write() as ops:
        clerks.log_out(ops, request.cookies.get(COOKIE, ""))
    response = web.see_other("/")
    response.delete_cookie(COOKIE, path="/counter", samesite="Strict", httponly=True)
    return response


@routes.post("/presence")
@for_clerks
def presence() -> Response:
    """Note that the clerk is still there: the pages say so by themselves while they are touched."""
    return Response(status=204)


@routes.get("/")
@for_clerks
def today() -> Response:
    """Show today's slips and how the corner is."""
    asked = request.args.get("number", "").strip()
    if asked:
        return web.see_other(f"/counter/slips/{canonical(asked)}")
    start, end = _day(clock.now())
    found = slips.slips_between(files.ops(), start, end)
    return web.page("kiosk/counter/today.html", slips=found, jobs=_jobs(found), state=status.describe(), printer=printer_state())


@routes.get("/slips/<number>")
@for_clerks
def slip(number: str) -> Response:
    """Show one slip as it was made, and as it would be priced now."""
    ops = files.ops()
    found = slips.slip(ops, canonical(number))
    jobs = ops.execute(
        "select copy_no, state, requested_by, requested_at from print_job where number = ? order by copy_no", [found.number]
    )
    names = ("copy_no", "state", "requested_by", "requested_at")
    return web.page(
        "kiosk/counter/slip.html",
        slip=found,
        facts=found.facts,
        now_priced=_priced_now(found),
        jobs=[dict(zip(names, row, strict=True)) for row in jobs],
        reasons=slips.REASONS,
    )


@routes.get("/slips/<number>/qr.svg")
@for_clerks
def slip_qr(number: str) -> Response:
    """Send the QR code of any slip, for a customer who has no paper."""
    return send_qr(slips.slip(files.ops(), canonical(number)))


@routes.post("/slips/<number>/reprints")
@for_clerks
def reprint(number: str) -> Response:
    """Print another copy of a slip, marked as a duplicate."""
    found = canonical(number)
    print_jobs.request_print(files.kiosk(), found, requested_by=g.clerk["clerk_id"], now=clock.now())
    return web.see_other(f"/counter/slips/{found}")


@routes.post("/slips/<number>/void")
@for_clerks
def void(number: str) -> Response:
    """Void a slip for a reason; it stays."""
    found = canonical(number)
    with files.ops_store().write() as ops:
        slips.void_slip(ops, found, clerk_id=g.clerk["clerk_id"], reason=request.form.get("reason", ""), now=clock.now())
    return web.see_other(f"/counter/slips/{found}")


@routes.get("/table")
@for_clerks
def table() -> Response:
    """Show the demo devices and whether each was seen."""
    catalog = files.catalog()
    places = []
    for place in corners.demo_devices(files.ops(), files.corner()):
        try:
            places.append({**place, "item": skus.sku_by_id(catalog, place["sku_id"])})
        except NotFound:
            places.append({**place, "item": None})
    return web.page("kiosk/counter/table.html", places=places)


@routes.post("/table/<position>")
@for_clerks
def check_place(position: str) -> Response:
    """Note that a demo device is present or missing."""
    with files.ops_store().write() as ops:
        corners.check_demo_device(
            ops, files.corner(), position, state=request.form.get("state", ""), clerk_id=g.clerk["clerk_id"], now=clock.now()
        )
    return web.see_other(f"/counter/table#place-{position}")


def _day(now: datetime) -> tuple[str, str]:
    """Return the first moment of the corner's day and of the next, as UTC texts."""
    zone = ZoneInfo(files.corner().time_zone)
    start = datetime.combine(now.astimezone(zone).date(), time(), zone)
    end = datetime.combine(start.date() + timedelta(days=1), time(), zone)
    return clock.to_text(start.astimezone(UTC)), clock.to_text(end.astimezone(UTC))


def _jobs(found: list[Slip]) -> dict[str, dict[str, Any]]:
    """Return the latest print job of each slip that has one."""
    return print_jobs.last_jobs(files.ops(), [each.number for each in found])


def _priced_now(found: Slip) -> Priced:
    """Return the slip's lines at today's prices; what is gone shows the offer that would stand in for it."""
    catalog = files.catalog()
    wishes = [(line_no, _wish(line)) for line_no, line in enumerate(found.facts["lines"], start=1)]
    return selections.price(catalog, found.selection_id, wishes, now=clock.now(), zone=files.corner().time_zone)


def _wish(line: dict[str, Any]) -> Wish:
    listing, plan = line["listing"], line["plan"]
    return Wish(
        listing_id=listing["listing_id"] if listing else None,
        plan_id=plan["plan_id"] if plan else None,
        option_ids=tuple(option["option_id"] for option in line["options"]),
        quantity=line["quantity"],
        acquisition=plan["acquisition"] if plan else "new",
        seen_cents=listing["all_in_cents"] if listing else None,
    )
