"""Whether what is recorded is what was issued: each slip compared with its event, each event with the chain it stands in.

A file that passes SQLite's own check may still hold another digit than was written: by a failing disk, or by hand.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from sqlite_utils import Database

from pos import tokens
from pos.errors import Conflict
from pos.ops_tables import SLIP_EVENT
from pos.outbox import CHAIN_START, link

EVENTS = "select seq, kind, body, prev, sha256 from outbox"


class Event(NamedTuple):
    """An event of the outbox as recorded: `prev` is the hash before it, `sha256` its own."""

    seq: int
    kind: str
    body: str
    prev: str
    sha256: str


class SlipAltered(Conflict):
    """What is recorded of a slip is not what was issued: it is neither shown nor printed."""


def check_slip(ops: Database, number: str) -> None:
    """Compare what is recorded of a slip, where there is one, with the event that reported it. Raises: SlipAltered."""
    slip = ops.execute("select token, facts from slip where number = ?", [number]).fetchone()
    events = ops.execute(f"{EVENTS} where {SLIP_EVENT} and body ->> '$.number' = ?", [number]).fetchall()
    if slip and not any(_is_whole(event) and _tells(event, *slip) for event in map(Event._make, events)):
        raise SlipAltered(f"slip {number} is not recorded as it was issued", number=number)


def altered(ops: Database) -> list[str]:
    """Return what is not recorded as it was made: `event 12` where the chain breaks, and slips by number; reads everything."""
    wrong = [f"event {seq}" for seq in broken_events(ops)]
    for (number,) in ops.execute("select number from slip order by key_id, counter"):
        try:
            check_slip(ops, number)
        except SlipAltered:
            wrong.append(f"slip {number}")
    return wrong


def broken_events(ops: Database) -> list[int]:
    """Return the seq of each event that is not what its hash says, or does not follow the one before; reads the whole chain."""
    wrong, prev = [], CHAIN_START
    for event in map(Event._make, ops.execute(f"{EVENTS} order by seq")):
        if not _is_whole(event) or event.prev != prev:
            wrong.append(event.seq)
        prev = event.sha256
    return wrong


def _is_whole(event: Event) -> bool:
    """Tell whether an event hashes to what its row says, and so to what the next one's row says."""
    return link(event.seq, event.kind, event.body, event.prev) == event.sha256


def _tells(event: Event, token: bytes, facts: str) -> bool:
    """Tell whether an event reports just this token and these facts; what is no longer JSON tells nothing."""
    try:
        body = json.loads(event.body)
        return bool(body["facts"] == json.loads(facts) and body["digits"] == tokens.to_digits(token))
    except (ValueError, KeyError, TypeError):
        return False
