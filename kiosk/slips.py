"""The slip on screen: its number, its QR code, and paper when somebody asks for it, never by itself (L541-15-10).

These pages are open while the visit lasts that made the slip; afterwards a clerk opens it at the counter.
"""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Response, g, request

from kiosk import web
from kiosk.printing import print_jobs, printers, qr
from pos import clock, slips, tokens
from pos.errors import PrinterOffline
from pos.slips import Slip

routes = Blueprint("slips", __name__)

PRINTER_DEADLINE_S = 1.0
canonical = tokens.parse_slip_number
"""A slip number as it is recorded, however it was typed; raises MangledNumber."""


@routes.get("/slips/<number>")
def slip(number: str) -> Response:
    """Show a slip."""
    found = _slip_of_visit(number)
    return web.page("slips.html", slip=found, facts=found.facts, job=print_jobs.last_job(web.ops(), found.number))


@routes.get("/slips/<number>/qr.svg")
def qr_code(number: str) -> Response:
    """Send the QR code of a slip."""
    return send_qr(_slip_of_visit(number))


@routes.post("/slips/<number>/print")
def print_slip(number: str) -> Response:
    """Print a slip on tap. A copy that came out is not printed again from here: duplicates are the clerk's."""
    found = _slip_of_visit(number)
    last = print_jobs.last_job(web.ops(), found.number)
    if last is None or last["state"] == "failed" or (last["state"] == "uncertain" and request.form.get("again") == "1"):
        try:
            print_jobs.request_print(web.kiosk(), found.number, requested_by="customer", now=clock.now())
        except print_jobs.PrinterBusy:
            return web.see_other(f"/slips/{found.number}#paper")
    return web.see_other(f"/slips/{found.number}#paper")


@routes.get("/slips/<number>/paper")
def paper_state(number: str) -> Response:
    """Show the state of the printer and of this slip's print alone; the page asks again while a print is under way."""
    found = _slip_of_visit(number)
    job = print_jobs.last_job(web.ops(), found.number)
    return web.fragment("slips.html", "paper", slip=found, facts=found.facts, job=job, printer=printer_state())


def printer_state() -> printers.PrinterState | None:
    """Ask the printer how it is, within a second; None when the corner has no printer. One that is printing is not disturbed."""
    try:
        target = print_jobs.printer(web.ops())
    except PrinterOffline:
        return None
    printing = web.kiosk().printing
    if not printing.acquire(blocking=False):
        return printers.PrinterState("unknown", ("printing",))
    try:
        return printers.status(target, deadline_s=PRINTER_DEADLINE_S)
    finally:
        printing.release()


def _slip_of_visit(number: str) -> Slip:
    """Return a slip while its visit lasts, its selection going on through every page from here. Raises: as `slip_of_visit`."""
    found = slips.slip_of_visit(web.ops(), canonical(number))
    g.selection_id = found.selection_id
    return found


def send_qr(found: Slip) -> Response:
    """Send a slip's QR code, to be shown and not kept: whoever has it can order."""
    return Response(qr_drawing(f"{web.corner().slip_prefix}{found.digits}"), content_type="image/svg+xml")


@lru_cache(maxsize=64)
def qr_drawing(url: str) -> bytes:
    """Return the QR code of a slip's URL as SVG; making one takes tens of milliseconds, and page and printer ask for the same."""
    return qr.svg(url).encode()
