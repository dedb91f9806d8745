"""Jobs: work enqueued in the transaction it follows, done by one worker afterwards, tried again until it is done or dead.

Invariant: what was enqueued and committed is done at least once, whichever process dies; so what does it is idempotent.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.bodies import compact
from marketplace.db import CHANGED_AT_ONCE, change_in_chunks, changed, new_id, reading, row, rows, run_tx
from pos import clock
from pos.errors import Conflict, Invalid

HQ = "hq"
"""Whose jobs those are that belong to no customer, seller or corner."""
LEASE = timedelta(minutes=5)
"""How long a claimed job is its worker's; then another may take it, as of one that died."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=2)
MOST_TRIES = 42
"""Waits double from the first to the longest: the last try is three days after the first."""
KEPT = timedelta(days=90)
"""How long a job that was done is kept, and with it the memory that it was enqueued."""
LOOKED_AT = 8
MOST_REASON = 500
TURN = "n"
"""Before the number of a job that has its turn: it sorts behind the hexadecimal ids of jobs without one."""
NEWS = "comptoir_jobs"
"""The mark on a database connection whose transaction enqueued something."""
RETRY = "update job set state = 'waiting', due_at = :now, tries = 0"


class Hopeless(Exception):
    """No later try would do the job: it is dead at once."""


class Postponed(Exception):
    """The job cannot be tried before `until`; this was no try. With `all_alike` that is so for every job of its kind."""

    def __init__(self, reason: str, *, until: datetime, all_alike: bool = False) -> None:
        super().__init__(reason)
        self.until = until
        self.all_alike = all_alike


class JobMoved(Conflict):
    """The job is no longer in the state that was acted on; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a handler works on: the marketplace, the moment, and which job it does."""

    engine: Engine
    directory: Path
    public_url: str
    now: datetime
    owner_id: str
    job_id: str


Handler = Callable[[Work, dict[str, Any]], str | None]
"""Does a job of one kind by its body, and may say in a line what came of it; it may be called again for the same job.

Raises: Hopeless, Postponed; anything else is a failure, and the job is tried again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its worker claimed it; `tries` counts this one, and tells the claim from every other."""

    owner_id: str
    job_id: str
    kind: str
    body: str
    tries: int


WhenGivenUp = Callable[[Connection, Job, str], None]
"""What is done for those who wait for a job, in the transaction that gives it up: dead, or set aside for the reason named."""


def enqueue(
    connection: Connection,
    kind: str,
    body: Mapping[str, Any],
    *,
    owner_id: str,
    due_at: datetime | None = None,
    unique: str | None = None,
) -> bool:
    """Enqueue a job in the caller's transaction, due at once unless told; tell whether it is new.

    With `unique` an owner has one job of that kind and name, whatever became of it, for as long as done ones are kept.
    """
    now = clock.now()
    added = changed(
        connection,
        """
        insert into job (owner_id, job_id, kind, body, state, enqueued_at, due_at, tries, error)
        values (:owner_id, :job_id, :kind, :body, 'waiting', :now, :due_at, 0, '')
        on conflict (owner_id, job_id) do nothing
        """,
        owner_id=owner_id,
        job_id=new_id() if unique is None else f"{kind}:{unique}",
        kind=kind,
        body=compact(body),
        now=clock.to_text(now),
        due_at=clock.to_text(due_at or now),
    )
    connection.info[NEWS] = True
    return added == 1


def enqueue_in_turn(connection: Connection, kind: str, body: Mapping[str, Any], *, owner_id: str) -> str:
    """Enqueue a job that comes after every job of its owner and kind that is there (`is_behind`); return its id."""
    newest = row(
        connection,
        """
        select job_id from job where owner_id = :owner_id and kind = :kind and job_id >= :least and job_id < :beyond
        order by job_id desc limit 1
        """,
        owner_id=owner_id,
        kind=kind,
        least=f"{kind}:{TURN}",
        beyond=f"{kind}:{chr(ord(TURN) + 1)}",
    )
    number = int(newest["job_id"].rpartition(TURN)[2]) + 1 if newest else 1
    turn = f"{TURN}{number:012d}"
    enqueue(connection, kind, body, owner_id=owner_id, unique=turn)
    return f"{kind}:{turn}"


def is_behind(connection: Connection, kind: str, *, owner_id: str, job_id: str) -> bool:
    """Tell whether a job of that owner and kind, enqueued in turn before this one, is still to be done."""
    query = """
        select 1 as one from job where owner_id = :owner_id and kind = :kind and job_id < :job_id
          and state in ('waiting', 'running') limit 1
    """
    return row(connection, query, owner_id=owner_id, kind=kind, job_id=job_id) is not None


def tick(engine: Engine, timers: Mapping[str, timedelta], *, now: datetime) -> None:
    """Enqueue the job of every timer that is due; each has one job, which is enqueued anew once it is over."""
    with reading(engine) as connection:
        known = rows(connection, "select name, next_at from timer where owner_id = :owner_id", owner_id=HQ)
    next_at = {timer["name"]: clock.from_text(timer["next_at"]) for timer in known}
    # A moment further ahead than one turn was noted by a clock since set back.
    due = [name for name, every in timers.items() if not now < next_at.get(name, now) <= now + every]

    def work(connection: Connection) -> None:
        for name in due:
            _start(connection, name, timers[name], now=now)

    if due:
        run_tx(engine, work)


def claim(engine: Engine, *, worker: str, now: datetime, besides: Collection[str] = ()) -> Job | None:
    """Claim the job that is due for longest, of a kind not among `besides`, or return None; of two that try, one gets it."""
    left_out = {f"kind{number}": kind for number, kind in enumerate(besides)}
    filters = "".join(f" and kind <> :{name}" for name in left_out)
    query = f"""
        select owner_id, job_id, kind, body, tries from job
        where state in ('waiting', 'running') and due_at <= :now{filters}
        order by due_at, job_id limit :most
    """
    with reading(engine) as connection:
        due = rows(connection, query, now=clock.to_text(now), most=LOOKED_AT, **left_out)
    update = """
        update job set state = 'running', tries = tries + 1, claimed_at = :now, claimed_by = :worker, due_at = :lease
        where owner_id = :owner_id and job_id = :job_id and state in ('waiting', 'running') and tries = :tries and due_at <= :now
    """
    for waiting in due:
        lease = {"now": clock.to_text(now), "worker": worker, "lease": clock.to_text(now + LEASE)}
        values = {name: waiting[name] for name in ("owner_id", "job_id", "tries")} | lease
        if run_tx(engine, lambda connection, values=values: changed(connection, update, **values)):  # type: ignore[misc]
            return Job(**{**waiting, "tries": waiting["tries"] + 1})
    return None


def body_of(text: str) -> dict[str, Any]:
    """Return the body of a job as it was enqueued."""
    body: dict[str, Any] = json.loads(text)
    return body


def finish(engine: Engine, job: Job, *, note: str, now: datetime) -> None:
    """Mark a job as done; `note` is kept with its timer, where it has one."""

    def work(connection: Connection) -> None:
        if _settle(connection, job, "state = 'done', finished_at = :now, error = ''", now=clock.to_text(now)):
            changed(
                connection,
                "update timer set last_at = :now, note = :note where owner_id = :owner_id and name = :name",
                now=clock.to_text(now),
                note=note[:MOST_REASON],
                owner_id=job.owner_id,
                name=job.job_id,
            )

    run_tx(engine, work)


def fail(
    engine: Engine, job: Job, reason: str, *, now: datetime, is_hopeless: bool = False, when_given_up: WhenGivenUp | None = None
) -> None:
    """Let a job that failed be tried again later, each time after a longer wait; or mark it as dead, after the last try."""
    values = {"now": clock.to_text(now), "reason": reason[:MOST_REASON].replace("\x00", "")}
    is_dead = is_hopeless or job.tries >= MOST_TRIES
    if is_dead:
        setting = "state = 'dead', finished_at = :now, error = :reason"
    else:
        setting, values["now"] = "state = 'waiting', due_at = :now, error = :reason", clock.to_text(now + wait_after(job.tries))

    def work(connection: Connection) -> None:
        if _settle(connection, job, setting, **values) and is_dead and when_given_up:
            when_given_up(connection, job, "")

    run_tx(engine, work)


def postpone(engine: Engine, job: Job, problem: Postponed, *, now: datetime) -> None:
    """Let a job wait that could not be tried, and where it is so for all of its kind those that are due with it."""
    values = {"until": clock.to_text(problem.until), "reason": str(problem)[:MOST_REASON]}
    setting = "state = 'waiting', due_at = :until, error = :reason, tries = tries - 1"
    run_tx(engine, lambda connection: _settle(connection, job, setting, **values))
    if problem.all_alike:
        update = """
            update job set due_at = :until, error = :reason where (owner_id, job_id) in (
              select owner_id, job_id from job where state = 'waiting' and due_at <= :now and kind = :kind limit :most
            )
        """
        due = {**values, "now": clock.to_text(now), "kind": job.kind, "most": CHANGED_AT_ONCE}
        change_in_chunks(engine, lambda connection: changed(connection, update, **due))


def wait_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries: doubling, a quarter more or less, so that not all come back together."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(tries - 1, 10)))
    return wait * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, no secret


def retry(engine: Engine, owner_id: str, job_id: str, *, now: datetime) -> None:
    """Let a job that waits, is dead or set aside be tried at once, with all its tries before it. Raises: JobMoved."""
    update = f"{RETRY} where owner_id = :owner_id and job_id = :job_id and state in ('waiting', 'dead', 'set_aside')"
    values = {"owner_id": owner_id, "job_id": job_id, "now": clock.to_text(now)}
    if run_tx(engine, lambda connection: _told(connection, update, **values)) == 0:
        raise JobMoved("this job runs or is done")


def retry_all(engine: Engine, *, now: datetime, state: str = "dead", kind: str | None = None) -> int:
    """Let every job of a state, and of a kind where one is given, be tried at once; return how many."""
    update = f"{RETRY} where state = :state" + (" and kind = :kind" if kind else "")
    values = {"state": state, "now": clock.to_text(now)} | ({"kind": kind} if kind else {})
    return run_tx(engine, lambda connection: _told(connection, update, **values))


def set_aside(
    engine: Engine,
    owner_id: str,
    job_id: str,
    note: str,
    *,
    now: datetime,
    told: Mapping[str, WhenGivenUp] = MappingProxyType({}),
) -> None:
    """Let nobody try a job again, for a reason that `told` hear of, by kind. Raises: Invalid without one, JobMoved."""
    reason = " ".join(note.split())[:MOST_REASON].replace("\x00", "")
    if not reason:
        raise Invalid("say why", field="note")
    update = """
        update job set state = 'set_aside', error = :reason, finished_at = :now
        where owner_id = :owner_id and job_id = :job_id and state in ('waiting', 'dead')
    """
    values = {"owner_id": owner_id, "job_id": job_id, "reason": reason, "now": clock.to_text(now)}

    def work(connection: Connection) -> None:
        if changed(connection, update, **values) == 0:
            raise JobMoved("this job runs or is done")
        query = "select owner_id, job_id, kind, body, tries from job where owner_id = :owner_id and job_id = :job_id"
        for stored in rows(connection, query, owner_id=owner_id, job_id=job_id):
            if when_given_up := told.get(stored["kind"]):
                when_given_up(connection, Job(**stored), reason)

    run_tx(engine, work)


def forget_done(engine: Engine, *, now: datetime) -> int:
    """Delete the jobs done long ago, some in a transaction, and return how many."""
    # Where a job ended, `due_at` still says when its claim would have lapsed.
    delete = """
        delete from job where (owner_id, job_id) in (
          select owner_id, job_id from job where state in ('done', 'set_aside') and due_at < :until limit :most
        )
    """
    values = {"until": clock.to_text(now - KEPT), "most": CHANGED_AT_ONCE}
    return change_in_chunks(engine, lambda connection: changed(connection, delete, **values))


def _start(connection: Connection, name: str, every: timedelta, *, now: datetime) -> None:
    values = {"owner_id": HQ, "name": name, "now": clock.to_text(now), "next_at": clock.to_text(now + every)}
    moved = changed(
        connection,
        """
        insert into timer (owner_id, name, next_at, note) values (:owner_id, :name, :next_at, '')
        on conflict (owner_id, name) do update set next_at = excluded.next_at
        where timer.next_at <= :now or timer.next_at > excluded.next_at
        """,
        **values,
    )
    if moved:
        changed(
            connection,
            """
            insert into job (owner_id, job_id, kind, body, state, enqueued_at, due_at, tries, error)
            values (:owner_id, :name, :name, '{}', 'waiting', :now, :now, 0, '')
            on conflict (owner_id, job_id) do update
            set state = 'waiting', enqueued_at = excluded.enqueued_at, due_at = excluded.due_at, tries = 0, error = ''
            where job.state not in ('waiting', 'running')
            """,
            **values,
        )


def _settle(connection: Connection, job: Job, setting: str, **values: str) -> int:
    """Change a job that is still this worker's: whoever took it over settles it."""
    where = "owner_id = :owner_id and job_id = :job_id and state = 'running' and tries = :tries"
    keys = {"owner_id": job.owner_id, "job_id": job.job_id, "tries": job.tries}
    return changed(connection, f"update job set {setting} where {where}", **keys, **values)


def _told(connection: Connection, update: str, **values: str) -> int:
    connection.info[NEWS] = True
    return changed(connection, update, **values)
