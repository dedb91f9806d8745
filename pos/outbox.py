"""What the corner must tell HQ: rows written with what they report, in a hash chain that shows a missing or altered one."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from pos import clock

CHAIN_START = "0" * 64


def record(database: Database, kind: str, body: dict[str, Any], *, now: datetime) -> int:
    """Append an event and return its `seq`, counted from 1 without gaps; runs inside the caller's `write`."""
    last = database.execute("select seq, sha256 from outbox order by seq desc limit 1").fetchone()
    seq, prev = (last[0] + 1, last[1]) if last else (1, CHAIN_START)
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    database.execute(
        "insert into outbox (seq, kind, body, sha256, prev, recorded_at) values (?, ?, ?, ?, ?, ?)",
        [seq, kind, text, link(seq, kind, text, prev), prev, clock.to_text(now)],
    )
    return seq


def link(seq: int, kind: str, body: str, prev: str) -> str:
    """Return an event's hash: SHA-256, in hexadecimal, of `prev`, `seq`, `kind` and `body`, joined by line feeds."""
    return hashlib.sha256(f"{prev}\n{seq}\n{kind}\n{body}".encode()).hexdigest()


def depth(database: Database, *, acked: int) -> tuple[int, str | None]:
    """Return how many events HQ has not acknowledged, and when the oldest of them was recorded."""
    row = database.execute("select count(*), min(recorded_at) from outbox where seq > ?", [acked]).fetchone()
    return row[0], row[1]
