"""What the corner must tell HQ: rows written with what they report, in a hash chain that shows a missing or altered one.

Invariant: an event that could not travel is refused before there is one; what an earlier version recorded all the same stays
here whole, and HQ is told of its place in the chain alone (`set_aside`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from pos import clock
from pos.errors import Unrecordable
from pos.ops import setting, store_setting

CHAIN_START = "0" * 64
MOST_BYTES = 2**18
"""Of an event's body: many times the fullest slip, and well below what a request holds even where each byte takes two there."""
SET_ASIDE = "set_aside"
"""The setting that keeps which events HQ was told of by their place alone, why and since when."""


def record(database: Database, kind: str, body: dict[str, Any], *, now: datetime) -> int:
    """Append an event and return its `seq`, counted from 1 without gaps; runs inside the caller's `write`.

    Raises: Unrecordable when HQ would not take it, so that the caller's other rows are not written either.
    """
    last = database.execute("select seq, sha256 from outbox order by seq desc limit 1").fetchone()
    before, prev = last or (0, CHAIN_START)
    seq = int(before) + 1
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    _check_fit(kind, text)
    database.execute(
        "insert into outbox (seq, kind, body, sha256, prev, recorded_at) values (?, ?, ?, ?, ?, ?)",
        [seq, kind, text, link(seq, kind, text, prev), prev, clock.to_text(now)],
    )
    return seq


def set_aside(database: Database) -> dict[int, dict[str, str]]:
    """Return the events whose place in the chain is all that HQ was sent, by seq: `reason` and `at`."""
    return {int(seq): said for seq, said in (setting(database, SET_ASIDE) or {}).items()}


def note_set_aside(database: Database, reasons: Mapping[int, str], *, now: datetime) -> None:
    """Remember why events went up by their place in the chain alone: the first word stays; runs inside the caller's `write`."""
    at = clock.to_text(now)
    noted = {str(seq): {"reason": reason, "at": at} for seq, reason in reasons.items()}
    store_setting(database, SET_ASIDE, {**noted, **(setting(database, SET_ASIDE) or {})})


def link(seq: int, kind: str, body: str, prev: str) -> str:
    """Return an event's hash: SHA-256, in hexadecimal, of `prev`, `seq`, `kind` and `body`, joined by line feeds."""
    return hashlib.sha256(f"{prev}\n{seq}\n{kind}\n{body}".encode()).hexdigest()


def depth(database: Database, *, acked: int) -> tuple[int, str | None]:
    """Return how many events HQ has not acknowledged, and when the oldest of them was recorded."""
    [(waiting, oldest_at)] = database.execute("select count(*), min(recorded_at) from outbox where seq > ?", [acked])
    return waiting, oldest_at


def _check_fit(kind: str, text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as problem:
        raise Unrecordable(f"{kind}: half a surrogate pair is no text", kind=kind) from problem
    if size > MOST_BYTES:
        raise Unrecordable(f"{kind}: {size:,} bytes where {MOST_BYTES:,} are taken", kind=kind)
