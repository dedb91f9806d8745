"""A person is asked for: a customer at the screen rings, every counter page hears it, one clerk answers.

Invariant: a call is answered once; it says from which page it came and of which selection, and nothing of who rang.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlite_utils import Database

from pos import clock
from pos.errors import Conflict, NotFound

RINGS = timedelta(minutes=15)
"""How long a call that nobody answers goes on ringing: whoever asked is gone by then."""
MOST_OPEN = 12
LONGEST_PAGE = 200


class Call(NamedTuple):
    """One call; `answered_by` is the clerk's id, None while it rings and when its customer withdrew it."""

    call_no: int
    called_at: str
    page: str
    selection_id: str | None
    answered_by: str | None
    answered_at: str | None

    def is_ringing(self, now: datetime) -> bool:
        """Tell whether somebody still waits; a call of a clock since set back does not."""
        return self.answered_at is None and self._is_recent(now)

    def is_shown(self, now: datetime) -> bool:
        """Tell whether its customer still sees it: it rings, or a clerk is on the way."""
        return (self.answered_at is None or self.answered_by is not None) and self._is_recent(now)

    def _is_recent(self, now: datetime) -> bool:
        return abs(now - clock.from_text(self.called_at)) <= RINGS


class CallAnswered(Conflict):
    """Another clerk went; `data["answered_by"]` is who."""


def ring(ops: Database, *, page: str, selection_id: str | None, now: datetime) -> int:
    """Note that a person is wanted, and return the call's number; runs inside the caller's `write`.

    A selection rings once at a time, and one that is not here is not named. No more than a dozen calls ring at all: the newest
    of them stands for the next.
    """
    ringing = ringing_calls(ops, now=now)
    same = next((call for call in ringing if selection_id is not None and call.selection_id == selection_id), None)
    if same is not None or len(ringing) >= MOST_OPEN:
        return (same or ringing[-1]).call_no
    [(call_no,)] = ops.execute(
        """
        insert into call (called_at, page, selection_id)
        values (?, ?, (select selection_id from selection where selection_id = ?)) returning call_no
        """,
        [clock.to_text(now), page[:LONGEST_PAGE], selection_id],
    ).fetchall()
    return int(call_no)


def call(ops: Database, call_no: int) -> Call:
    """Return a call. Raises: NotFound."""
    row = ops.execute(f"{CALLS} where call_no = ?", [call_no]).fetchone()
    if row is None:
        raise NotFound(call_no=call_no)
    return Call(*row)


def ringing_calls(ops: Database, *, now: datetime) -> list[Call]:
    """Return the calls nobody answered yet, the oldest first."""
    rows = ops.execute(
        f"{CALLS} where answered_at is null and called_at >= ? order by called_at, call_no limit ?",
        [clock.to_text(now - RINGS), MOST_OPEN],
    )
    return [call for call in (Call(*row) for row in rows) if call.is_ringing(now)]


def answer(ops: Database, call_no: int, clerk_id: str, *, now: datetime) -> Call:
    """Let a clerk go to whoever called, and return the call; runs inside the caller's `write`. Twice is as good as once.

    Raises: NotFound, CallAnswered.
    """
    answered = ops.execute(
        "update call set answered_by = ?, answered_at = ? where call_no = ? and answered_at is null",
        [clerk_id, clock.to_text(now), call_no],
    )
    known = call(ops, call_no)
    if not answered.rowcount and known.answered_by != clerk_id:
        raise CallAnswered(call_no=call_no, answered_by=known.answered_by)
    return known


def answer_for(ops: Database, selection_id: str, clerk_id: str, *, now: datetime) -> None:
    """Stop what rings for a selection that a clerk took; runs inside the caller's `write`."""
    ops.execute(
        "update call set answered_by = ?, answered_at = ? where selection_id = ? and answered_at is null",
        [clerk_id, clock.to_text(now), selection_id],
    )


def withdraw(ops: Database, call_no: int, *, now: datetime) -> None:
    """Stop a call that its customer needs no longer; runs inside the caller's `write`. Idempotent."""
    ops.execute("update call set answered_at = ? where call_no = ? and answered_at is null", [clock.to_text(now), call_no])


CALLS = "select call_no, called_at, page, selection_id, answered_by, answered_at from call"
