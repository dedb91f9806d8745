"""`/console/jobs`: what waits to be done, runs or could not be done, and the timers with their last and next turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, rows
from marketplace.running import jobs
from marketplace.running.handlers import WHEN_GIVEN_UP
from marketplace.running.mail import mail_log, smtp_server
from marketplace.web import marketplace, see_other
from pos import clock
from shop.web import render_template

MOST_ROWS = 100
SHOWN = ("dead", "running", "waiting", "set_aside")

pages = Blueprint("jobs", __name__, url_prefix="/jobs")


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Some jobs of each state, those for a person first; how many there are in each; and the timers.

    No job's body is shown; of a mail its template, and its address masked. `can_send` tells whether a mail server is named.
    """

    jobs: list[dict[str, Any]]
    counts: dict[str, int]
    timers: list[dict[str, Any]]
    mails: list[dict[str, Any]]
    can_send: bool


@pages.get("")
def listing() -> str:
    """Show the jobs that are not done, and the timers."""
    with reading(marketplace().engine) as connection:
        page = _jobs_page(connection)
    return render_template("marketplace/running/jobs.html", page=page)


@pages.post("/retries")
def retries() -> Response:
    """Let one job be tried at once, or, where none is named, all that are dead."""
    owner_id, job_id = request.form.get("owner_id", ""), request.form.get("job_id", "")
    if job_id:
        jobs.retry(marketplace().engine, owner_id, job_id, now=clock.now())
    else:
        jobs.retry_all(marketplace().engine, now=clock.now())
    return see_other("console.jobs.listing")


@pages.post("/notes")
def notes() -> Response:
    """Set one job aside, with a note."""
    form = request.form
    owner_id, job_id, note = (form.get(name, "") for name in ("owner_id", "job_id", "note"))
    jobs.set_aside(marketplace().engine, owner_id, job_id, note, now=clock.now(), told=WHEN_GIVEN_UP)
    return see_other("console.jobs.listing")


def _jobs_page(connection: Connection) -> JobsPage:
    query = """
        select owner_id, job_id, kind, state, enqueued_at, due_at, tries, error from job
        where state = :state order by due_at, job_id limit :most
    """
    shown = [job for state in SHOWN for job in rows(connection, query, state=state, most=MOST_ROWS)]
    counted = rows(connection, "select state, count(*) as n from job where state <> 'done' group by state")
    timers = rows(
        connection,
        """
        select timer.name, timer.last_at, timer.next_at, timer.note, job.state, job.error from timer
        left join job on job.owner_id = timer.owner_id and job.job_id = timer.name
        where timer.owner_id = :owner_id order by timer.name
        """,
        owner_id=jobs.HQ,
    )
    counts = dict.fromkeys(SHOWN, 0) | {each["state"]: each["n"] for each in counted}
    return JobsPage(shown, counts, timers, mails=mail_log(connection), can_send=smtp_server(connection) is not None)
