"""A tap on "print": the paper is queued on disk, its printer woken, and the page waits a moment for the outcome."""

from __future__ import annotations

from kiosk import files
from kiosk.printing import print_jobs
from kiosk.printing.print_jobs import Wanted
from pos import clock

WAIT_S = 1.2
"""How long the page waits for the printer before it shows the paper as it stands."""


def print_paper(wanted: Wanted, *, printer: str | None = None) -> int:
    """Queue a paper for a printer, or for the one for slips, and return its job. Raises: PrinterOffline, NotFound."""
    kiosk = files.kiosk()
    with files.ops_store().write() as ops:
        job_id = print_jobs.enqueue(ops, wanted, printer=printer, now=clock.now())
    queued = print_jobs.job(files.ops(), job_id, now=clock.now())
    if queued is not None:
        kiosk.workers.wake(queued["printer"])
        with kiosk.turns.given_up():
            kiosk.workers.wait_ended(job_id, WAIT_S)
    return job_id
