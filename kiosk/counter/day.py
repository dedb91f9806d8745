"""The day report of the corner: on screen, as a file, as a document, and on the roll of the printer."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, g, request

from kiosk import files, prices
from kiosk.counter.sessions import for_clerks
from kiosk.printing import day_papers, print_jobs
from kiosk.printing.documents import made_apart
from kiosk.printing.print_jobs import PrintJob
from kiosk.printing.prints import print_paper
from pos import clock, day_reports
from pos.csv_files import csv_text
from pos.day_reports import DayReport
from pos.day_words import day_words
from shop import web
from shop.door import visitor
from shop.forms import with_query
from templates import PATH

routes = Blueprint("counter_day", __name__, url_prefix="/counter/day")

LONGEST_ID = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPage:
    """A day's report, the days beside it that have one, and the paper of it that was just asked for."""

    report: DayReport
    before: str | None
    after: str | None
    paper: PrintJob | None


@routes.get("")
@for_clerks
def day() -> Response:
    """Show the report of today so far, or of a day before."""
    report = _report()
    asked = request.args.get("paper", "")
    job_id = int(asked) if asked.isdecimal() and asked.isascii() and len(asked) < LONGEST_ID else 0
    page = DayPage(
        report=report,
        before=report.day.later(-1).name if report.day.name > report.first_day else None,
        after=report.day.later(1).name if report.is_over else None,
        paper=print_jobs.job(files.ops(), job_id, now=clock.now()) if job_id else None,
    )
    return web.page("kiosk/counter/day.html", page=page)


@routes.get("/figures.csv")
@for_clerks
def figures() -> Response:
    """Send the figures as one long table."""
    report = _report()
    table = list(day_words(visitor().language, PATH).table([(files.corner().corner_id, report.facts)]))
    return _sent(f"\ufeff{csv_text(table)}".encode(), f"{_file_name(report)}.csv", "text/csv; charset=utf-8")


@routes.get("/report.pdf")
@for_clerks
def document() -> Response:
    """Send the report as a document of A4 pages."""
    report, corner = _report(), files.corner()
    title = f"{corner.name}, {report.day.name}"
    markup = web.render_template("kiosk/counter/day_document.html", report=report)
    words = {"title": title, "language": visitor().language, "foot": f"Comptoir · {title}"}
    with files.kiosk().turns.given_up():
        content = made_apart("shop.pdf:write_pdf", markup, made_at=clock.from_text(report.counted_at), **words)
    return _sent(content, f"{_file_name(report)}.pdf", "application/pdf")


@routes.post("/papers")
@for_clerks
def print_report() -> Response:
    """Print the report on the corner's printer."""
    report = _report()
    job_id = print_paper(day_papers.report_wanted(report, files.corner(), visitor().language, requested_by=g.clerk["clerk_id"]))
    return web.see_other(with_query("/counter/day", on=report.day.name if report.is_over else None, paper=job_id))


def _report() -> DayReport:
    """Count the day that the address or the form asks for, today where it asks for none. Raises: NotFound."""
    asked = request.values.get("on", "").strip()
    return day_reports.day_report(files.ops(), files.corner(), asked or None, now=prices.trusted_now(files.ops_store()))


def _file_name(report: DayReport) -> str:
    return f"{files.corner().corner_id}-{report.day.name}"


def _sent(document: bytes, name: str, kind: str) -> Response:
    return Response(document, headers={"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'})
