"""The slip on screen: its number, its QR code, and paper when somebody asks for it, never by itself (L541-15-10).

These pages are open while the visit lasts that made the slip; afterwards a clerk opens it at the counter.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from flask import Blueprint, Response, g, request

from kiosk import files, prices
from kiosk.printing import print_jobs
from kiosk.printing.installed import installed_printer
from kiosk.printing.print_jobs import PrintSettled
from kiosk.printing.printers import PrinterState
from kiosk.printing.prints import print_paper
from pos import clock, helps, qr, slips, tokens
from pos.errors import KeyMissing, KioskRevoked, NotFound, PrinterOffline
from pos.languages import paper_language
from pos.ops import setting
from pos.slips import Slip
from shop import web
from shop.door import visitor
from shop.prices import catch_up
from sync.faults import REVOKED

routes = Blueprint("slips", __name__)

PRINTER_DEADLINE_S = 1.0
canonical = tokens.parse_slip_number
"""A slip number as it is recorded, however it was typed; raises MangledNumber."""


@routes.post("/selections/<selection_id>/slip")
def issue_slip(selection_id: str) -> Response:
    """Make the slip of a selection: on disk before anybody sees it, and one only however often this is tapped."""
    return web.see_other(f"/slips/{issue(selection_id).number}")


def issue(selection_id: str, *, clerk_id: str | None = None) -> Slip:
    """Make the slip of a selection whose page the form shows as `seen`, in the clerk's name where one made it.

    A kiosk whose key HQ has withdrawn makes none: its slips would open nothing. Raises: KeyMissing, KioskRevoked, and as
    `issue_slip` and `check_has`.
    """
    kiosk = files.kiosk()
    files.corner()
    now = prices.trusted_now(kiosk.ops)
    with kiosk.turns.given_up():
        # A round may hold the catalogue's writer for seconds.
        catch_up(kiosk.catalog, now)
    try:
        device = slips.load_device(kiosk.directory)
    except NotFound as problem:
        raise KeyMissing("device.key is missing") from problem
    with files.ops_store().write() as ops:
        if REVOKED in (setting(ops, "sync_faults") or {}):
            raise KioskRevoked("this kiosk was withdrawn at HQ")
        if clerk_id is not None:
            helps.check_has(ops, selection_id, clerk_id)
        slip = slips.issue_slip(
            ops,
            files.catalog(),
            selection_id,
            device=device,
            seen=request.form.get("seen") or None,
            language=paper_language(visitor().language, visitor().spoken),
            now=now,
            most_a_minute=slips.MOST_A_MINUTE,
            clerk_id=clerk_id,
        )
        if clerk_id is not None:
            helps.hand_back(ops, selection_id, clerk_id, now=now)
    return slip


@routes.get("/slips/<number>")
def slip(number: str) -> Response:
    """Show a slip."""
    slip = _slip_of_visit(number)
    return web.page("kiosk/slips.html", slip=slip, job=print_jobs.last_job(files.ops(), slip.number, now=clock.now()))


@routes.get("/slips/<number>/qr.svg")
def qr_code(number: str) -> Response:
    """Send the QR code of a slip."""
    return send_qr(_slip_of_visit(number))


@routes.post("/slips/<number>/print")
def print_slip(number: str) -> Response:
    """Print a slip on tap. A copy that came out is not printed again from here: duplicates are the clerk's."""
    slip = _slip_of_visit(number)
    states = {"queued", "failed", "uncertain"} if request.form.get("again") == "1" else {"queued", "failed"}
    with suppress(PrintSettled):
        print_paper(
            print_jobs.slip_wanted(files.ops(), slip.number, requested_by="customer"),
            is_due=lambda last: last is None or last["state"] in states,
        )
    return web.see_other(f"/slips/{slip.number}#paper")


@routes.get("/slips/<number>/paper")
def paper_state(number: str) -> Response:
    """Show the state of the printer and of this slip's print alone; the page asks again while a print is under way."""
    slip = _slip_of_visit(number)
    job = print_jobs.last_job(files.ops(), slip.number, now=clock.now())
    return web.fragment("kiosk/slips.html", "paper", slip=slip, job=job, printer=printer_state())


def printer_state() -> PrinterState | None:
    """Have the printer for slips asked how it is, within a second; None when the corner has none. One at work is let be."""
    try:
        printer = installed_printer(files.ops())
    except PrinterOffline:
        return None
    kiosk = files.kiosk()
    with kiosk.turns.given_up():
        kiosk.workers.look(printer.name, PRINTER_DEADLINE_S)
    return installed_printer(files.ops(), printer.name).state


def _slip_of_visit(number: str) -> Slip:
    """Return a slip while its visit lasts, its selection going on through every page from here. Raises: as `slip_of_visit`."""
    slip = slips.slip_of_visit(files.ops(), canonical(number))
    g.selection_id = slip.selection_id
    return slip


def send_qr(slip: Slip) -> Response:
    """Send a slip's QR code, to be shown and not kept: whoever has it can order."""
    return Response(qr_drawing(f"{files.corner().slip_prefix}{slip.digits}"), content_type="image/svg+xml")


@lru_cache(maxsize=64)
def qr_drawing(url: str) -> bytes:
    """Return the QR code of a slip's URL as SVG; making one takes tens of milliseconds, and page and printer ask for the same."""
    return qr.svg(url).encode()
