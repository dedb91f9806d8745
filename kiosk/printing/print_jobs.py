"""Printing a slip: a job is on disk as `sending` before its first byte; its end state is only what the printer confirmed.

A failed print printed nothing and may be tried again; an uncertain one asks a person. The slip itself is never touched.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timedelta
from typing import TypedDict

from sqlite_utils import Database

from kiosk import files
from kiosk.printing import paper, printers
from pos import clock, corners, outbox, slips
from pos.errors import Conflict, PrinterOffline
from pos.ops import setting

WAIT_S = 1.2
"""How long the page waits for the printer before it shows the job as it stands."""

THREAD = "print-"
ENDED = ("confirmed", "uncertain", "failed")
LONGEST_JOB = timedelta(minutes=2)


class PrinterBusy(Conflict):
    """A print of this slip is already under way."""


class KnownPrinter(TypedDict):
    """A printer: its `host:port`, its state as the last print told it, and how many jobs are in hand."""

    name: str
    state: str
    queue: int


class PrintJob(TypedDict):
    """A print of a slip: copy 0 is the original; times are UTC texts."""

    number: str
    job_id: int
    copy_no: int
    state: str
    reason: str
    requested_by: str
    requested_at: str
    ended_at: str | None


def printer(ops: Database) -> printers.Printer:
    """Return this corner's printer. Raises: PrinterOffline when none is set."""
    address = setting(ops, "printer")
    if not address:
        raise PrinterOffline(reason="no_printer")
    return printers.Printer(address["host"], address["port"])


def known_printer(ops: Database) -> KnownPrinter | None:
    """Return what is known of the corner's printer without asking it; None when none is set.

    Asking the printer itself would make whoever asks wait for it.
    """
    if not setting(ops, "printer"):
        return None
    target = printer(ops)
    last = ops.execute("select state, reason from print_job order by job_id desc limit 1").fetchone()
    queue = ops.execute("select count(*) from print_job where state in ('queued', 'sending', 'sent')").fetchone()[0]
    state = "unknown"
    for ended, reason in [last] if last else []:
        if ended in ("confirmed", "failed"):
            state = "ok" if ended == "confirmed" else "offline" if reason == "unreachable" else "fault"
    return {"name": f"{target.host}:{target.port}", "state": state, "queue": queue}


def last_job(ops: Database, number: str) -> PrintJob | None:
    """Return a slip's latest print job, or None when nobody asked for paper."""
    return last_jobs(ops, [number]).get(number)


def last_jobs(ops: Database, numbers: list[str]) -> dict[str, PrintJob]:
    """Return the latest print job of each of these slips that has one, by slip number."""
    jobs = _jobs(ops, "where number in (select value from json_each(?)) order by number, copy_no", json.dumps(numbers))
    return {job["number"]: job for job in jobs}


def jobs_of_slip(ops: Database, number: str) -> list[PrintJob]:
    """Return the print jobs of a slip, copy by copy."""
    return _jobs(ops, "where number = ? order by copy_no", number)


def request_print(kiosk: files.Kiosk, number: str, *, requested_by: str, now: datetime) -> int:
    """Print a slip and return its job; waits a moment for the outcome, which the job holds in any case.

    A job that failed is tried again under its own copy number; otherwise this is the next copy.
    Raises: NotFound, PrinterOffline, PrinterBusy, RecordsDamaged.
    """
    store = files.ops_store()
    ops = store.read()
    slip = slips.slip(ops, number)
    target = printer(ops)
    corner = corners.corner(ops)
    url = f"{corner.slip_prefix}{slip.digits}"
    with store.write() as writer:
        job_id, copy_no = _start_job(writer, number, target, requested_by=requested_by, now=now)
        # Rendered before the commit: a slip that cannot be rendered leaves no job behind.
        data = paper.slip_bytes(slip.facts, url, paper_mm=corner.paper_mm, language=slip.facts["language"], copy_no=copy_no)
    worker = threading.Thread(target=_send, args=(kiosk, job_id, number, copy_no, target, data), name=f"{THREAD}{job_id}")
    worker.start()
    with kiosk.turns.given_up():
        worker.join(WAIT_S)
    return job_id


def wait_for_prints(*, until: float) -> None:
    """Wait until what is with the printer has ended and is written down, until a monotonic time at most."""
    for thread in threading.enumerate():
        if thread.name.startswith(THREAD):
            thread.join(max(0.0, until - time.monotonic()))


def settle_interrupted(ops: Database, *, now: datetime) -> None:
    """End the jobs a stopped process left in the middle as uncertain: paper may or may not have come out.

    Runs inside the caller's `write`, before the first print of a process.
    """
    left = ops.execute("select job_id, number, copy_no from print_job where state in ('queued', 'sending', 'sent')").fetchall()
    for job_id, number, copy_no in left:
        _end_job(ops, job_id, number, copy_no, printers.Outcome("uncertain", "interrupted"), now=now)


def _start_job(ops: Database, number: str, target: printers.Printer, *, requested_by: str, now: datetime) -> tuple[int, int]:
    """Write the job as `sending`; two taps at once make one job, since the second finds it under way."""
    last = last_job(ops, number)
    if last and last["state"] == "failed":
        ops.execute(
            """
            update print_job set state = 'sending', reason = '', printer = ?, requested_by = ?, requested_at = ?, ended_at = null
            where job_id = ?
            """,
            [f"{target.host}:{target.port}", requested_by, clock.to_text(now), last["job_id"]],
        )
        return last["job_id"], last["copy_no"]
    if last and last["state"] not in ENDED:
        # A clock set back makes times lie ahead: by more than a job takes they count as long past.
        if abs(now - clock.from_text(last["requested_at"])) < LONGEST_JOB:
            raise PrinterBusy(number=number)
        # Nobody is sending this one any more: its end could not be written down.
        _end_job(ops, last["job_id"], number, last["copy_no"], printers.Outcome("uncertain", "interrupted"), now=now)
    copy_no = last["copy_no"] + 1 if last else 0
    row = {
        "number": number,
        "copy_no": copy_no,
        "printer": f"{target.host}:{target.port}",
        "state": "sending",
        "reason": "",
        "requested_by": requested_by,
        "requested_at": clock.to_text(now),
        "ended_at": None,
    }
    ops.table("print_job").insert(row)
    return int(ops.execute("select max(job_id) from print_job").fetchone()[0]), copy_no


def _send(kiosk: files.Kiosk, job_id: int, number: str, copy_no: int, target: printers.Printer, data: bytes) -> None:
    # Many printers accept one connection at a time.
    with kiosk.printing:
        outcome = printers.send(target, data)
    if kiosk.ops is None:
        return
    with kiosk.ops.write() as ops:
        _end_job(ops, job_id, number, copy_no, outcome, now=clock.now())


def _end_job(ops: Database, job_id: int, number: str, copy_no: int, outcome: printers.Outcome, *, now: datetime) -> None:
    ops.execute(
        "update print_job set state = ?, reason = ?, ended_at = ? where job_id = ?",
        [outcome.state, outcome.reason, clock.to_text(now), job_id],
    )
    outbox.record(ops, "slip_printed", {"number": number, "copy_no": copy_no, "state": outcome.state}, now=now)


def _jobs(ops: Database, where: str, value: str) -> list[PrintJob]:
    rows = ops.execute(
        f"select number, job_id, copy_no, state, reason, requested_by, requested_at, ended_at from print_job {where}", [value]
    )
    return [
        {
            "number": number,
            "job_id": job_id,
            "copy_no": copy_no,
            "state": state,
            "reason": reason,
            "requested_by": requested_by,
            "requested_at": requested_at,
            "ended_at": ended_at,
        }
        for number, job_id, copy_no, state, reason, requested_by, requested_at, ended_at in rows
    ]
