"""The queue of papers: each with its bytes on disk before its first byte leaves; it ends as the printer, or a person, said.

`queued` → `sending` (committed before the first byte) → `sent` → `confirmed`, `uncertain` or `failed` (DESIGN §9). An uncertain
paper asks a person and is never sent again by itself; one that waited too long is offered to a person, not spat out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from sqlite_utils import Database

from kiosk.printing import paper
from kiosk.printing.installed import installed_printer, installed_printers
from kiosk.printing.printers import Outcome
from kiosk.printing.profiles import PaperSetup
from kiosk.printing.slip_text import blocks
from pos import clock, corners, outbox, slips
from pos.errors import Conflict, SlipAlreadyVoided

Kind = Literal["slip", "label", "report", "diagnostic", "test"]
FRESH = timedelta(minutes=5)
"""A paper that could not be sent so long is offered, not printed: whoever wanted it may have gone (printing.md §5.3)."""
FRESH_LABELS = timedelta(minutes=30)
"""Two hundred labels take a printer ten minutes, and whoever asked for them is at the table meanwhile."""
BYTES_KEPT = timedelta(days=2)
"""How long the bytes of an ended job stay; its row stays for ever."""
BROKEN_OFF = ("interrupted", "stalled", "closed")
"""Why a paper is uncertain of which perhaps not every byte left."""
NOT_SEEN = "not_seen"
"""Why a paper failed that left for the printer, and that nobody saw come out: the next one is a duplicate all the same."""
UNDER_WAY = ("queued", "sending", "sent")


class PrintSettled(Conflict):
    """The paper is under way or ended meanwhile: there is nothing left to decide about it."""


class KnownPrinter(TypedDict):
    """A printer as `status.json` shows it: its name, its state as it last told it, and how many papers are in hand."""

    name: str
    state: str
    queue: int


class PrintJob(TypedDict):
    """A paper of the queue: copy 0 is the original; times are UTC texts. `is_offered`: it waits for a person's word."""

    job_id: int
    kind: Kind
    subject: str
    copy_no: int
    printer: str
    state: str
    reason: str
    requested_by: str
    requested_at: str
    ended_at: str | None
    is_offered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A paper somebody asks for: its kind, what it is of (a slip's number, a label's), who asks, and how it is rendered."""

    kind: Kind
    subject: str
    requested_by: str
    render: Callable[[PaperSetup, int], bytes]
    """Returns the bytes for a printer's paper and a copy number."""


IsDue = Callable[[PrintJob | None], bool]
"""Looks at the latest job of a paper, if there is one, and tells whether the paper is to be printed."""


def always(_last: PrintJob | None) -> bool:
    """Let a paper be printed whatever became of it before."""
    return True


def slip_wanted(ops: Database, number: str, *, requested_by: str) -> Wanted:
    """Return a slip's paper, in its own language. Raises: NotFound, RecordsDamaged, SlipAlreadyVoided."""
    slip = slips.slip(ops, number)
    if slip.void:
        raise SlipAlreadyVoided(number=number)
    url = f"{corners.corner(ops).slip_prefix}{slip.digits}"

    def render(takes: PaperSetup, copy_no: int) -> bytes:
        return paper.set_on(takes, blocks(slip.facts, language=slip.facts["language"], copy_no=copy_no), url)

    return Wanted(kind="slip", subject=number, requested_by=requested_by, render=render)


def enqueue(
    ops: Database,
    wanted: Wanted,
    *,
    printer: str | None = None,
    is_due: IsDue = always,
    now: datetime,
) -> int:
    """Put a paper into the queue and return its job; runs inside the caller's `write`, so two taps at once make one job.

    One that is with the printer already is that job. One that waits, or of which nothing was ever sent, is rendered anew under
    its own copy number; else this is the next copy. `is_due` looks at the latest job of this paper as it is now.
    Raises: PrintSettled when it is not due, PrinterOffline, NotFound.
    """
    target = installed_printer(ops, printer)
    last = next(
        _jobs(ops, now, "where kind = ? and subject = ? order by copy_no desc limit 1", wanted.kind, wanted.subject), None
    )
    if not is_due(last):
        raise PrintSettled(subject=wanted.subject)
    if last is not None and last["state"] in ("sending", "sent"):
        return last["job_id"]
    is_same_copy = last is not None and (last["state"] == "queued" or (last["state"] == "failed" and last["reason"] != NOT_SEEN))
    copy_no = last["copy_no"] + (not is_same_copy) if last else 0
    row = (target.name, wanted.requested_by, clock.to_text(now), wanted.render(target.paper, copy_no))
    ops.execute(
        """
        insert into print_job (kind, subject, copy_no, state, printer, requested_by, requested_at, bytes)
        values (?, ?, ?, 'queued', ?, ?, ?, ?)
        on conflict (kind, subject, copy_no) do update set state = 'queued', reason = '', printer = excluded.printer,
          requested_by = excluded.requested_by, requested_at = excluded.requested_at, bytes = excluded.bytes, ended_at = null
        """,
        [wanted.kind, wanted.subject, copy_no, *row],
    )
    key = [wanted.kind, wanted.subject, copy_no]
    return int(ops.execute("select job_id from print_job where (kind, subject, copy_no) = (?, ?, ?)", key).fetchone()[0])


def last_job(ops: Database, number: str, *, now: datetime) -> PrintJob | None:
    """Return a slip's latest paper, or None when nobody asked for one."""
    return last_jobs(ops, [number], now=now).get(number)


def last_jobs(ops: Database, numbers: list[str], *, now: datetime) -> dict[str, PrintJob]:
    """Return the latest paper of each of these slips that has one, by slip number."""
    where = "where kind = 'slip' and subject in (select value from json_each(?)) order by subject, copy_no"
    return {job["subject"]: job for job in _jobs(ops, now, where, json.dumps(numbers))}


def jobs_of_slip(ops: Database, number: str, *, now: datetime) -> list[PrintJob]:
    """Return the papers of a slip, copy by copy."""
    return list(_jobs(ops, now, "where kind = 'slip' and subject = ? order by copy_no", number))


def last_diagnostic(ops: Database, *, now: datetime) -> PrintJob | None:
    """Return the latest paper that said how the kiosk is."""
    return next(_jobs(ops, now, "where kind = 'diagnostic' order by job_id desc limit 1"), None)


def open_jobs(ops: Database, *, now: datetime, most: int = 200) -> list[PrintJob]:
    """Return the papers that ask a person whether they came out, then those that wait or are under way; the oldest first."""
    since = clock.to_text(now - BYTES_KEPT)
    where = """
        where state in ('queued', 'sending', 'sent')
          or state = 'uncertain' and requested_at > ? and not exists (
            select 1 from print_job later
            where (later.kind, later.subject) = (print_job.kind, print_job.subject) and later.copy_no > print_job.copy_no
          )
        order by state = 'uncertain' desc, job_id limit ?
        """
    return list(_jobs(ops, now, where, since, most))


def known_printers(ops: Database) -> list[KnownPrinter]:
    """Return what is known of the corner's printers without asking them, the one for slips first.

    Asking the printer itself would make whoever asks wait for it.
    """
    queues = dict(
        ops.execute("select printer, count(*) from print_job where state in ('queued', 'sending', 'sent') group by printer")
    )
    return [{"name": each.name, "state": each.state.state, "queue": queues.get(each.name, 0)} for each in installed_printers(ops)]


def known_printer(ops: Database) -> KnownPrinter | None:
    """Return what is known of the printer for slips; None when none is set."""
    return next(iter(known_printers(ops)), None)


def next_job(ops: Database, printer: str, *, now: datetime) -> tuple[int, bytes] | None:
    """Return the job and the bytes that this printer is to print next: the oldest that nobody has to be asked about.

    A slip comes before other papers: a customer stands there and waits for it.
    """
    row = ops.execute(
        """
        select job_id, bytes from print_job
        where printer = :printer and state = 'queued' and bytes is not null
          and iif(kind = 'label', requested_at between :label_from and :label_until, requested_at between :from and :until)
        order by kind <> 'slip', requested_at, job_id limit 1
        """,
        {
            "printer": printer,
            "from": clock.to_text(now - FRESH),
            "until": clock.to_text(now + FRESH),
            "label_from": clock.to_text(now - FRESH_LABELS),
            "label_until": clock.to_text(now + FRESH_LABELS),
        },
    ).fetchone()
    return (row[0], row[1]) if row else None


def begin(ops: Database, job_id: int, printer: str, process_id: bytes) -> bool:
    """Note that a paper is about to be sent; False when somebody decided otherwise. Must be committed before its first byte."""
    change = (
        "update print_job set state = 'sending', reason = '', process_id = ? where (job_id, printer, state) = (?, ?, 'queued')"
    )
    return bool(ops.execute(change, [process_id.decode(), job_id, printer]).rowcount)


def note_sent(ops: Database, job_id: int) -> None:
    """Note that every byte left."""
    ops.execute("update print_job set state = 'sent' where job_id = ? and state = 'sending'", [job_id])


def note_waits(ops: Database, printer: str, reason: str) -> None:
    """Note why what waits for a printer waits: nothing of it was sent."""
    ops.execute(
        "update print_job set reason = ? where printer = ? and state = 'queued' and reason <> ?", [reason, printer, reason]
    )


def put_back(ops: Database, job_id: int, reason: str) -> None:
    """Let a paper wait again of which certainly no byte left."""
    ops.execute(
        "update print_job set state = 'queued', reason = ?, process_id = null where job_id = ? and state = 'sending'",
        [reason, job_id],
    )


def end(ops: Database, job_id: int, outcome: Outcome, *, now: datetime) -> None:
    """Write down how a paper ended, and tell HQ of a slip's."""
    _end(ops, "job_id = ? and state in ('queued', 'sending', 'sent')", (job_id,), outcome, now=now)


def settle_late(ops: Database, process_ids: list[bytes], *, now: datetime) -> bool:
    """Confirm uncertain papers that their printer names at last; return whether there were any."""
    where = "state = 'uncertain' and process_id in (select value from json_each(?))"
    named = json.dumps([each.decode("ascii", "replace") for each in process_ids])
    return _end(ops, where, (named,), Outcome("confirmed", "late"), now=now)


def settle_interrupted(ops: Database, *, now: datetime, printer: str | None = None) -> None:
    """End what nobody is sending any more as uncertain: paper may or may not have come out. What waits goes on waiting.

    Runs inside the caller's `write`, before the first print of a process or of a printer's worker.
    """
    where = "state in ('sending', 'sent') and (? is null or printer = ?)"
    _end(ops, where, (printer, printer), Outcome("uncertain", "interrupted"), now=now)


def broke_off(ops: Database, printer: str) -> bool:
    """Tell whether this printer's last paper may have been left half sent: it may still wait for the rest of a picture."""
    last = "select reason from print_job where printer = ? and ended_at is not null order by ended_at desc, job_id desc limit 1"
    row = ops.execute(last, [printer]).fetchone()
    return row is not None and row[0] in BROKEN_OFF


def settle_by_hand(ops: Database, job_id: int, *, came_out: bool, now: datetime) -> None:
    """Write down what a person saw of an uncertain paper. Runs inside the caller's `write`. Raises: PrintSettled."""
    outcome = Outcome("confirmed", "seen") if came_out else Outcome("failed", NOT_SEEN)
    if not _end(ops, "job_id = ? and state = 'uncertain'", (job_id,), outcome, now=now):
        raise PrintSettled(job_id=job_id)


def drop(ops: Database, job_id: int, *, now: datetime) -> None:
    """Give up a paper that waits: nothing of it was sent. Runs inside the caller's `write`. Raises: PrintSettled."""
    if not _end(ops, "job_id = ? and state = 'queued'", (job_id,), Outcome("failed", "dropped"), now=now):
        raise PrintSettled(job_id=job_id)


def drop_waiting(ops: Database, kind: Kind, subject: str, *, now: datetime) -> None:
    """Give up what waits of a paper that counts no more; runs inside the caller's `write`."""
    _end(ops, "kind = ? and subject = ? and state = 'queued'", (kind, subject), Outcome("failed", "dropped"), now=now)


def forget_bytes(ops: Database, *, now: datetime) -> None:
    """Drop the bytes of papers that ended long ago; runs inside the caller's `write`."""
    ops.execute("update print_job set bytes = null where bytes is not null and ended_at < ?", [clock.to_text(now - BYTES_KEPT)])


def job(ops: Database, job_id: int, *, now: datetime) -> PrintJob | None:
    """Return one paper of the queue."""
    return next(_jobs(ops, now, "where job_id = ?", job_id), None)


def _end(ops: Database, where: str, values: tuple[object, ...], outcome: Outcome, *, now: datetime) -> bool:
    ended = ops.execute(f"select job_id, kind, subject, copy_no from print_job where {where}", values).fetchall()
    for job_id, kind, subject, copy_no in ended:
        ops.execute(
            "update print_job set state = ?, reason = ?, ended_at = ? where job_id = ?",
            [outcome.state, outcome.reason, clock.to_text(now), job_id],
        )
        if kind == "slip":
            outbox.record(ops, "slip_printed", {"number": subject, "copy_no": copy_no, "state": outcome.state}, now=now)
    return bool(ended)


def _jobs(ops: Database, now: datetime, where: str, *values: object) -> Iterator[PrintJob]:
    columns = "job_id, kind, subject, copy_no, printer, state, reason, requested_by, requested_at, ended_at"
    for row in ops.execute(f"select {columns} from print_job {where}", values):
        job_id, kind, subject, copy_no, printer, state, reason, requested_by, requested_at, ended_at = row
        # A clock set back makes times lie ahead: by more than the limit they count as long past.
        is_old = abs(now - clock.from_text(requested_at)) > (FRESH_LABELS if kind == "label" else FRESH)
        yield {
            "job_id": job_id,
            "kind": kind,
            "subject": subject,
            "copy_no": copy_no,
            "printer": printer,
            "state": state,
            "reason": reason,
            "requested_by": requested_by,
            "requested_at": requested_at,
            "ended_at": ended_at,
            "is_offered": state == "queued" and is_old,
        }
