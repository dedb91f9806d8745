"""One slip at the counter: then and now, its paper, duplicates, and its end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_clerks
from kiosk.printing import print_jobs
from kiosk.printing.print_jobs import PrintJob
from kiosk.printing.prints import print_paper
from kiosk.slips import canonical, send_qr
from pos import clock, helps, journal, selections, slip_claims, slips
from pos.errors import ListingGone, NotEligible, NotFound
from pos.line_facts import wish_of
from pos.selections import Priced
from pos.slip_claims import SlipClaim
from pos.slips import Slip
from pos.team import team
from shop import web

routes = Blueprint("counter_slips", __name__, url_prefix="/counter/slips")


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSlipPage:
    """A slip, its lines at today's prices, its papers, and what HQ last said became of it.

    `claim` is None where HQ never spoke of it; `heard_s` is how many seconds ago HQ had nothing more to say, None where never.
    `names` are the clerks' names by their ids.
    """

    slip: Slip
    priced_now: Priced
    jobs: list[PrintJob]
    claim: SlipClaim | None
    heard_s: int | None
    names: dict[str, str]


@routes.get("/<number>")
@for_clerks
def show_slip(number: str) -> Response:
    """Show one slip as it was made, and as it would be priced now."""
    ops = files.ops()
    slip = slips.slip(ops, canonical(number))
    page = CounterSlipPage(
        slip=slip,
        priced_now=_priced_now(slip),
        jobs=print_jobs.jobs_of_slip(ops, slip.number, now=clock.now()),
        claim=slip_claims.claims_of(ops, [(slip.key_id, slip.counter)]).get((slip.key_id, slip.counter)),
        heard_s=slip_claims.heard_s(ops, now=clock.now()),
        names={member["clerk_id"]: member["name"] for member in team(ops, files.corner())},
    )
    return web.page("kiosk/counter/slip.html", page=page, reasons=slips.REASONS)


@routes.get("/<number>/qr.svg")
@for_clerks
def slip_qr(number: str) -> Response:
    """Send the QR code of any slip, for a customer who has no paper."""
    return send_qr(slips.slip(files.ops(), canonical(number)))


@routes.post("/<number>/reprints")
@for_clerks
def reprint(number: str) -> Response:
    """Print another copy of a slip, marked as a duplicate."""
    slip_number = canonical(number)
    print_paper(print_jobs.slip_wanted(files.ops(), slip_number, requested_by=g.clerk["clerk_id"]))
    with files.ops_store().write() as ops:
        journal.note(ops, g.clerk["clerk_id"], "slip_printed", slip_number, now=clock.now())
    return web.see_other(f"/counter/slips/{slip_number}")


@routes.post("/<number>/void")
@for_clerks
def void(number: str) -> Response:
    """Void a slip for a reason; it stays."""
    slip_number = canonical(number)
    with files.ops_store().write() as ops:
        slips.void_slip(ops, slip_number, clerk_id=g.clerk["clerk_id"], reason=request.form.get("reason", ""), now=clock.now())
        print_jobs.drop_waiting(ops, "slip", slip_number, now=clock.now())
        journal.note(ops, g.clerk["clerk_id"], "voided", slip_number, now=clock.now())
    return web.see_other(f"/counter/slips/{slip_number}")


@routes.post("/<number>/selection")
@for_clerks
def reopen(number: str) -> Response:
    """Start a selection from a slip's lines at today's prices, in this clerk's hands; what nobody offers any more is left out."""
    slip, now = slips.slip(files.ops(), canonical(number)), clock.now()
    wishes = [
        replace(line.wish, listing_id=offer.listing_id, seen_cents=None) if offer else line.wish
        for line in _priced_now(slip).lines
        if (offer := line.offer or line.instead) or line.state != "gone"
    ]
    with files.ops_store().write() as ops:
        selection_id = selections.start_selection(ops.execute, now=now)
        helps.take(ops, selection_id, g.clerk["clerk_id"], now=now)
        for wish in wishes:
            with suppress(ListingGone, NotEligible, NotFound):
                selections.add_line(ops.execute, files.catalog(), selection_id, wish=wish, now=now)
    return web.see_other(f"/counter/selections/{selection_id}")


def _priced_now(slip: Slip) -> Priced:
    """Return the slip's lines at today's prices; what is gone shows the offer that would stand in for it."""
    catalog = files.catalog()
    wishes = [(line_no, wish_of(line)) for line_no, line in enumerate(slip.facts["lines"], start=1)]
    return selections.price(catalog, slip.selection_id, wishes, now=clock.now(), zone=files.corner().time_zone)
