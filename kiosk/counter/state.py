"""The corner's state at the counter: what is wrong and what to do, who to call, and a paper that says it all to support."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, g

from kiosk import files
from kiosk.counter.sessions import for_clerks
from kiosk.diagnosis import diagnose
from kiosk.faults import count_asking
from kiosk.printing import print_jobs
from kiosk.printing.installed import installed_printers
from kiosk.printing.prints import diagnostic_wanted, print_paper
from kiosk.status import faults_now
from pos import clock
from shop import web

routes = Blueprint("counter_state", __name__, url_prefix="/counter/state")

LOOK_S = 1.5
"""How long all printers together may take to say how they are."""


@routes.app_context_processor
def _asking() -> dict[str, Callable[[], int]]:
    """Let every page of the counter say how many things ask for somebody, on the way to this one."""
    return {"asking": lambda: count_asking(faults_now())}


@routes.get("")
@for_clerks
def state() -> Response:
    """Show how the corner is; nobody is asked for it, so that the page is there at once."""
    now = clock.now()
    return web.page(
        "kiosk/counter/state.html",
        state=diagnose(files.kiosk(), now=now),
        paper=print_jobs.last_diagnostic(files.ops(), now=now),
    )


@routes.post("/looks")
@for_clerks
def look() -> Response:
    """Have every printer asked how it is, then show the state again."""
    kiosk = files.kiosk()
    with kiosk.turns.given_up():
        kiosk.workers.look_at_all([each.name for each in installed_printers(files.ops())], LOOK_S)
    return web.see_other("/counter/state")


@routes.post("/papers")
@for_clerks
def print_diagnosis() -> Response:
    """Print the state on the printer for slips."""
    print_paper(diagnostic_wanted(clock.to_text(clock.now()), requested_by=g.clerk["clerk_id"]))
    return web.see_other("/counter/state")
