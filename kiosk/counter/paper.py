"""The papers of the corner: what waits, what asks whether it came out, and the printers that are to print it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_clerks
from kiosk.printing import print_jobs
from kiosk.printing.installed import InstalledPrinter, installed_printers
from kiosk.printing.print_jobs import PrintJob
from kiosk.printing.prints import print_paper, wanted_again
from pos import clock
from pos.errors import NotFound
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
    print_paper(wanted_again(job, requested_by=g.clerk["clerk_id"]), printer=wished if wished in known else None)
    return web.see_other("/counter/paper")


@routes.post("/<int:job_id>/outcome")
@for_clerks
def tell_outcome(job_id: int) -> Response:
    """Write down what the clerk saw of an uncertain paper."""
    with files.ops_store().write() as ops:
        print_jobs.settle_by_hand(ops, job_id, came_out=request.form.get("came_out") == "yes", now=clock.now())
    return web.see_other("/counter/paper")


@routes.post("/<int:job_id>/drop")
@for_clerks
def drop(job_id: int) -> Response:
    """Give up a paper that waits."""
    with files.ops_store().write() as ops:
        print_jobs.drop(ops, job_id, now=clock.now())
    return web.see_other("/counter/paper")


def _job(job_id: int) -> PrintJob:
    found = print_jobs.job(files.ops(), job_id, now=clock.now())
    if found is None:
        raise NotFound(f"no paper {job_id}")
    return found
