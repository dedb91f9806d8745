"""How each corner stands: one row a corner, written from its heartbeats so that the fleet is sorted and filtered by the database.

Invariants: every corner has its row from the import on, whether or not a kiosk was ever seen there; what depends on the hour
or on the newest publication (silent, behind) is never stored. The history keeps a row for each change of state and one an hour.
"""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from marketplace.db import changed, row, rows
from marketplace.fleet.revocations import Sender
from pos import clock
from sync.faults import LOW_DISK_BYTES, Severity, fault, severity
from sync.heartbeats import Heartbeat

KEPT = timedelta(days=30)
UNKNOWN = ""
WRONG_CLOCK_S = 300
BLOCK_NUMBERS = 50
"""A block is so many corner numbers in a row: what the picture of a large fleet is made of."""
PRINTERS = "P-"
PRINTER_FAULTS = {"fault": "printer_fault", "offline": "printer_offline"}
QUARANTINED = 4
"""Above every `Severity`: nothing of what this corner sends is taken."""


def match_corners_to_feed(connection: Connection) -> None:
    """Give every corner of the feed its row, and take away the rows of corners that left it."""
    kept = rows(connection, "select corner_id, corner_no, block, market, name, folded from standing")
    stored = {standing["corner_id"]: standing for standing in kept}
    corners = rows(connection, "select corner_id, corner_no, market, body from corner")
    wanted = {corner["corner_id"]: _identity(corner) for corner in corners}
    changed_rows = [identity for corner_id, identity in wanted.items() if stored.get(corner_id) != identity]
    if changed_rows:
        connection.execute(text(_PUT), changed_rows)
    if gone := [{"corner_id": corner_id} for corner_id in stored.keys() - wanted.keys()]:
        connection.execute(text("delete from standing where corner_id = :corner_id"), gone)


def enrol(connection: Connection, corner_id: str, *, key_id: str, now: str) -> None:
    """Note a corner's new device: what was known of the one before no longer holds."""
    changed(
        connection,
        """
        update standing set key_id = :key_id, enrolled_at = :now, trouble = 0, faults = ''
        where corner_id = :corner_id
        """,
        corner_id=corner_id,
        key_id=key_id,
        now=now,
    )


def quarantine(connection: Connection, device: Sender) -> None:
    """Note that nothing more is taken from the corner's device."""
    changed(
        connection,
        "update standing set trouble = :trouble where corner_id = :corner_id and key_id = :key_id",
        trouble=QUARANTINED,
        corner_id=device["corner_id"],
        key_id=device["key_id"],
    )


def note(connection: Connection, device: Sender, heartbeat: Heartbeat, *, now: datetime) -> None:
    """Write how the device's corner stands, and the history when the state changed or the hour is another.

    A device that was replaced says nothing about its corner any more.
    """
    before = row(connection, "select * from standing where corner_id = :corner_id", corner_id=device["corner_id"])
    if before is None or (before["enrolled_at"] or "") > device["enrolled_at"]:
        return
    faults = _faults(heartbeat, json.loads(before["faults"] or "{}"), now)
    state = _state(heartbeat, faults)
    at = clock.to_text(now)
    is_told = state != before["state"] or at[:13] != before["told_at"][:13]
    values = {
        "corner_id": device["corner_id"],
        "key_id": device["key_id"],
        "enrolled_at": device["enrolled_at"],
        "seen_at": at,
        "ring": heartbeat["ring"],
        "line": heartbeat["line"],
        "publication": heartbeat["publication"] or 0,
        "catalog_at": _published_at(connection, before, heartbeat),
        "pending": heartbeat["pending"] or 0,
        "oldest_at": heartbeat["oldest_at"] if heartbeat["pending"] else None,
        "printer": _printer(heartbeat),
        "software": heartbeat["software"] or UNKNOWN,
        "clock_s": clock_s(heartbeat, now),
        "trouble": max((severity(code) for code in faults), default=Severity.NONE),
        "faults": json.dumps(faults, separators=(",", ":")) if faults else "",
        "state": state,
        "told_at": at if is_told else before["told_at"],
    }
    changed(connection, _NOTE, **values)
    if is_told:
        _remember(connection, device, at, state)


def seen_faults(heartbeat: Heartbeat, now: datetime) -> set[str]:
    """Return the codes of what HQ itself sees wrong in a heartbeat that arrived `now` (docs/protocol.md §9)."""
    printer = PRINTER_FAULTS.get(_printer(heartbeat))
    offset_s, free = clock_s(heartbeat, now), heartbeat["disk_free"]
    # A kiosk that names what its printers lack needs no word of ours for it.
    is_named = any(fault(code).short.startswith(PRINTERS) for code in heartbeat["faults"])
    seen = {printer} if printer is not None and not is_named else set()
    if offset_s is not None and abs(offset_s) > WRONG_CLOCK_S:
        seen.add("clock_wrong")
    if free is not None and free < LOW_DISK_BYTES:
        seen.add("disk_low")
    return seen


def clock_s(heartbeat: Heartbeat, now: datetime) -> int | None:
    """Return how far HQ's clock is ahead of the kiosk's, in seconds; the way up is part of it."""
    wall = heartbeat["clock"]["wall"] if heartbeat["clock"] else None
    return int((now - clock.from_text(wall)).total_seconds()) if wall else None


def fold(words: str) -> str:
    """Return words as they are searched: lower case, without accents."""
    plain = unicodedata.normalize("NFKD", words.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _identity(corner: dict[str, Any]) -> dict[str, Any]:
    body = json.loads(corner["body"])
    name = str(body.get("name", corner["corner_id"]))
    folded = fold(f"{name} {body.get('city', '')} {corner['corner_id']} {corner['corner_no']}")
    return {
        "corner_id": corner["corner_id"],
        "corner_no": corner["corner_no"],
        "block": corner["corner_no"] // BLOCK_NUMBERS,
        "market": corner["market"],
        "name": name,
        "folded": folded,
    }


def _printer(heartbeat: Heartbeat) -> str:
    return (heartbeat["printer"]["state"] if heartbeat["printer"] else None) or UNKNOWN


def _faults(heartbeat: Heartbeat, before: dict[str, str | None], now: datetime) -> dict[str, str | None]:
    """Return what the kiosk says is wrong and what HQ sees is, each with when it began."""
    faults = dict(heartbeat["faults"])
    for code in seen_faults(heartbeat, now):
        faults.setdefault(code, before.get(code) or clock.to_text(now))
    return dict(sorted(faults.items()))


def _state(heartbeat: Heartbeat, faults: dict[str, str | None]) -> str:
    """Return what the history is about, as JSON: two heartbeats with the same are the same state."""
    state = {
        "publication": heartbeat["publication"] or 0,
        "line": heartbeat["line"],
        "ring": heartbeat["ring"],
        "software": heartbeat["software"] or UNKNOWN,
        "printer": _printer(heartbeat),
        "faults": sorted(faults),
        "waits": bool(heartbeat["pending"]),
    }
    return json.dumps(state, ensure_ascii=False, separators=(",", ":"))


def _published_at(connection: Connection, before: dict[str, Any], heartbeat: Heartbeat) -> str:
    """Return when the publication held was published: the age of the prices customers see."""
    number = heartbeat["publication"] or 0
    if number == before["publication"] and before["catalog_at"]:
        return str(before["catalog_at"])
    found = row(
        connection,
        "select published_at from sync_publication where market = :market and publication = :number",
        market=before["market"],
        number=number,
    )
    return str(found["published_at"]) if found else UNKNOWN


def _remember(connection: Connection, device: Sender, at: str, state: str) -> None:
    """Write to the corner's history, at most a row a minute, and sweep what is too old of it."""
    owner = {"corner_id": device["corner_id"], "key_id": device["key_id"]}
    changed(
        connection,
        """
        insert into heartbeat (corner_id, at, key_id, state) values (:corner_id, :at, :key_id, :state)
        on conflict (corner_id, at, key_id) do update set state = excluded.state
        """,
        **owner,
        at=f"{at[:16]}:00Z",
        state=state,
    )
    oldest = clock.to_text(clock.from_text(at) - KEPT)
    sweep = "delete from heartbeat where corner_id = :corner_id and at < :oldest"
    changed(connection, sweep, corner_id=owner["corner_id"], oldest=oldest)


_PUT = """
insert into standing (corner_id, corner_no, block, market, name, folded, ring, line, key_id, enrolled_at, seen_at, publication,
  catalog_at, pending, oldest_at, printer, software, clock_s, trouble, faults, state, told_at)
values (:corner_id, :corner_no, :block, :market, :name, :folded, 'stable', '', null, null, '', 0,
  '', 0, null, '', '', null, 0, '', '', '')
on conflict (corner_id) do update
set corner_no = excluded.corner_no, block = excluded.block, market = excluded.market, name = excluded.name,
  folded = excluded.folded
"""
_NOTE = """
update standing
set key_id = :key_id, enrolled_at = :enrolled_at, seen_at = :seen_at, ring = :ring, line = :line, publication = :publication,
  catalog_at = :catalog_at, pending = :pending, oldest_at = :oldest_at, printer = :printer, software = :software,
  clock_s = :clock_s, trouble = :trouble, faults = :faults, state = :state, told_at = :told_at
where corner_id = :corner_id
"""
