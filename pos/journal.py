"""The counter's audit journal: who did what to what, as events of the outbox.

Invariant: an act stands in the hash chain that HQ holds the head of, and is written with what it tells of or not at all.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple

from sqlite_utils import Database

from pos import clock, outbox
from pos.ops_tables import ACT_EVENT

KIND = "counter_act"
LONGEST_SUBJECT = 200


class CounterAct(NamedTuple):
    """Something a clerk did that somebody may ask about; `subject` names what it was done to, as the act needs it."""

    seq: int
    clerk_id: str
    act: str
    subject: str
    at: str


def note(ops: Database, clerk_id: str, act: str, subject: str = "", *, now: datetime) -> None:
    """Write an act into the journal; runs inside the caller's `write`, with what the act changes."""
    body = {"clerk_id": clerk_id, "act": act, "subject": subject[:LONGEST_SUBJECT], "at": clock.to_text(now)}
    outbox.record(ops, KIND, body, now=now)


def acts(ops: Database, *, most: int, before: int | None = None) -> list[CounterAct]:
    """Return the newest acts first, those `before` a seq where one is given; one that a disk broke is left out."""
    rows = ops.execute(
        f"select seq, body from outbox where {ACT_EVENT} and (:before is null or seq < :before) order by seq desc limit :most",
        {"before": before, "most": most},
    ).fetchall()
    return [act for seq, body in rows if (act := _act_of(int(seq), body)) is not None]


def _act_of(seq: int, text: str) -> CounterAct | None:
    try:
        body = json.loads(text)
        return CounterAct(seq, *(str(body[name]) for name in ("clerk_id", "act", "subject", "at")))
    except (ValueError, KeyError, TypeError):
        return None
