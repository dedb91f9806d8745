"""Dead letters: events that nobody could judge, to be looked at, judged once more, or closed with a note.

Invariant: nothing is deleted and no body is changed; only how an event is judged can change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.db import changed, row, rows, run_tx
from pos.errors import Conflict, Invalid, NotFound

MOST_ROWS = 200
MOST_NOTE = 500

Key = dict[str, Any]
WHERE = "corner_id = :corner_id and key_id = :key_id and stream = :stream and seq = :seq"


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The newest dead letters, those closed after them; and how many events wait, are dead, and are closed, by state."""

    events: list[dict[str, Any]]
    counts: dict[str, int]


class NotDead(Conflict):
    """The event is not, or no longer, among the dead letters; nothing was changed."""


def dead_letters(connection: Connection) -> DeadLetters:
    """Return the newest dead letters, closed ones too, and how many there are."""
    events = rows(
        connection,
        """
        select corner_id, key_id, stream, seq, kind, received_at, state, reason, note from inbox
        where state in ('dead', 'set_aside')
        order by state, received_at desc, corner_id, key_id, stream, seq desc limit :most
        """,
        most=MOST_ROWS,
    )
    counted = rows(connection, "select state, count(*) as n from inbox where state <> 'judged' group by state")
    return DeadLetters(events, {"new": 0, "dead": 0, "set_aside": 0} | {each["state"]: each["n"] for each in counted})


def dead_letter(connection: Connection, key: Key) -> dict[str, Any]:
    """Return one dead letter, closed or not, body and all. Raises: NotFound."""
    letter = row(connection, f"select * from inbox where {WHERE} and state in ('dead', 'set_aside')", **key)
    if letter is None:
        raise NotFound("no dead letter stands here")
    return letter


def retry(engine: Engine, key: Key) -> None:
    """Let one dead letter be judged once more, also a closed one. Raises: NotDead."""
    update = f"update inbox set state = 'new', reason = '', note = '' where {WHERE} and state in ('dead', 'set_aside')"
    if run_tx(engine, lambda connection: changed(connection, update, **key)) == 0:
        raise NotDead("this event is no dead letter any more")


def retry_all(engine: Engine) -> int:
    """Let every dead letter be judged once more and return how many there are; closed ones stay closed."""
    update = "update inbox set state = 'new', reason = '' where state = 'dead'"
    return run_tx(engine, lambda connection: changed(connection, update))


def close(engine: Engine, key: Key, note: str) -> None:
    """Close a dead letter with a note. Raises: Invalid without a note, NotDead."""
    reason = " ".join(note.split())[:MOST_NOTE].replace("\x00", "")
    if not reason:
        raise Invalid("say why", field="note")
    update = f"update inbox set state = 'set_aside', note = :note where {WHERE} and state = 'dead'"
    if run_tx(engine, lambda connection: changed(connection, update, **key, note=reason)) == 0:
        raise NotDead("this event is no dead letter any more")
