"""The papers of the corner: what waits, what asks whether it came out, and the printers that are to print it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_clerks
from kiosk.printing import print_jobs
from kiosk.printing.installed import InstalledPrinter, installed_printers
from kiosk.printing.print_jobs import PrintJob
from kiosk.printing.prints import print_paper, wanted_again
from pos import clock, journal
from pos.errors import Invalid, NotFound
from shop import web

routes = Blueprint("counter_paper", __name__, url_prefix="/counter/paper")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPage:
    """The papers that need somebody or something, by what they need, and the printers."""

    asking: list[PrintJob]
    offered: list[PrintJob]
    waiting: list[PrintJob]
    printers: list[InstalledPrinter]


@routes.get("")
@for_clerks
def papers() -> Response:
    """Show the queue: papers to answer for, papers to agree to, papers under way."""
    jobs = print_jobs.open_jobs(files.ops(), now=clock.now())
    page = PaperPage(
        asking=[job for job in jobs if job["state"] == "uncertain"],
        offered=[job for job in jobs if job["is_offered"]],
        waiting=[job for job in jobs if job["state"] != "uncertain" and not job["is_offered"]],
        printers=installed_printers(files.ops()),
    )
    return web.page("kiosk/counter/paper.html", paper=page)


@routes.post("/<int:job_id>/print")
@for_clerks
def print_again(job_id: int) -> Response:
    """Print a paper now, on its printer or another: one that waited as it is, one that may have come out as a duplicate."""
    job = _job(job_id)
    known = [each.name for each in installed_printers(files.ops())]
    wished = request.form.get("printer") or job["printer"]
    wanted = wanted_again(job, requested_by=g.clerk["clerk_id"])
    print_paper(wanted, printer=wished if wished in known else None, is_due=partial(_waits_for_a_word, job_id))
    return web.see_other("/counter/paper")


@routes.post("/<int:job_id>/outcome")
@for_clerks
def tell_outcome(job_id: int) -> Response:
    """Write down what the clerk saw of an uncertain paper."""
    said = request.form.get("came_out")
    if said not in ("yes", "no"):
        raise Invalid("yes or no", field="came_out")
    with files.ops_store().write() as ops:
        print_jobs.settle_by_hand(ops, job_id, came_out=said == "yes", now=clock.now())
        act = "paper_came" if said == "yes" else "paper_lost"
        journal.note(ops, g.clerk["clerk_id"], act, _job(job_id)["subject"], now=clock.now())
    return web.see_other("/counter/paper")


@routes.post("/<int:job_id>/drop")
@for_clerks
def drop(job_id: int) -> Response:
    """Give up a paper that waits."""
    with files.ops_store().write() as ops:
        print_jobs.drop(ops, job_id, now=clock.now())
        journal.note(ops, g.clerk["clerk_id"], "paper_dropped", _job(job_id)["subject"], now=clock.now())
    return web.see_other("/counter/paper")


def _waits_for_a_word(job_id: int, last: PrintJob | None) -> bool:
    """Tell whether the paper the clerk saw is still the latest of its kind, and still asks or waits."""
    return last is not None and last["job_id"] == job_id and last["state"] in ("queued", "uncertain")


def _job(job_id: int) -> PrintJob:
    found = print_jobs.job(files.ops(), job_id, now=clock.now())
    if found is None:
        raise NotFound(f"no paper {job_id}")
    return found
