"""The heartbeat: what a kiosk tells HQ of itself with every message, small, and how HQ reads it without believing it.

Invariant: what `read_heartbeat` returns has known fields of known kinds and never exceeds `MOST_BYTES` of JSON, whatever came.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlite_utils import Database

from pos import clock, outbox
from pos.catalog import CHANNELS, publication
from pos.db import DatabaseError, Store, sqlite3  # type: ignore[attr-defined]
from pos.left_out import MOST_EXAMPLES, LeftOut, left_out
from pos.ops import setting
from pos.slips import next_counter
from sync.channels import SyncCursor, sync_cursors
from sync.documents import without_halves
from sync.faults import severity
from sync.heads import RINGS

MOST_BYTES = 4096
SILENT_S = 600
TOLD = "told"
"""The setting that keeps what HQ was last told of our state, and when."""
MOST_FAULTS = 12
LONGEST_TEXT = 64
MOST = 2**53
EPOCH_SHOWN, ROOT_SHOWN = 8, 16
FAILED = "failed_line"
"""The setting that names the track and publication which could not be taken in, and why."""
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Heartbeat = dict[str, Any]


def heartbeat_of(
    catalog: Store,
    ops: Store,
    *,
    software: str,
    printer: dict[str, Any],
    own_faults: Mapping[str, str] = MappingProxyType({}),
    now: datetime,
) -> Heartbeat:
    """Return what HQ is told about this kiosk with every message, cut to what HQ keeps of it.

    Epochs and roots are cut to what tells them apart.

    `own_faults` are those of the running app (code and since when), beside what rounds have met.
    """
    database = ops.read()
    pending, oldest_at = outbox.depth(database, acked=setting(database, "acked") or 0)
    unfit = _unfit(catalog)
    said = {
        **_held(catalog),
        "left_out": {"rows": unfit.rows, "examples": list(unfit.examples)} if unfit.rows else None,
        "failed": setting(database, FAILED),
        "ring": (setting(database, "corner") or {}).get("ring", "stable"),
        "software": software,
        "sqlite": sqlite3.sqlite_version,
        "printer": printer,
        "pending": pending,
        "oldest_at": oldest_at,
        "next_counter": next_counter(database, setting(database, "key_id") or ""),
        "faults": _weightiest({**own_faults, **(setting(database, "sync_faults") or {}), **unfit.fault}),
        "clock": {
            "wall": clock.to_text(now),
            "up_s": int(time.monotonic()),
            "boot": _boot_id(),
            "known": setting(database, "hq_time") is not None,
        },
        "corner_sha256": setting(database, "corner_sha256"),
        "disk_free": shutil.disk_usage(ops.path.parent).free,
        "media_bytes": _bytes_in(ops.path.parent / "media"),
    }
    return {name: _cut(value) for name, value in said.items()}


def state_of(heartbeat: Heartbeat) -> str:
    """Return a hash of what HQ should hear of at once when it changes.

    What moves with every publication or minute is left out, or each of them would bring a message from every kiosk.
    """
    printer = heartbeat["printer"] or {}
    told = {
        **{name: heartbeat[name] for name in ("line", "failed", "ring", "software", "corner_sha256")},
        "jumps": heartbeat["jumps"] if heartbeat["line"] else None,
        "printer": [printer.get("name"), printer.get("state")],
        "faults": sorted(heartbeat["faults"]),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def is_told(ops: Database, heartbeat: Heartbeat, *, now: datetime) -> bool:
    """Tell whether HQ heard this state from us, and within the last ten minutes by either direction of a clock that was set."""
    told = setting(ops, TOLD)
    if told is None or told["state"] != state_of(heartbeat):
        return False
    return abs((now - clock.from_text(told["at"])).total_seconds()) < SILENT_S


def read_heartbeat(said: Any) -> Heartbeat:
    """Return the known fields of a heartbeat: a field of another kind is None, a text or list too long is cut.

    Never raises: a kiosk that talks nonsense about itself still has slips to deliver.
    """
    if not isinstance(said, dict):
        said = {}
    read = {name: kind(said.get(name)) for name, kind in _FIELDS.items()}
    return read if len(json.dumps(read, ensure_ascii=False).encode()) <= MOST_BYTES else {**read, "catalog": {}, "faults": {}}


def _weightiest(faults: Mapping[str, str]) -> dict[str, str]:
    """Return as many faults as HQ keeps, those that matter most."""
    return {code: faults[code] for code in sorted(faults, key=severity, reverse=True)[:MOST_FAULTS]}


def _cut(said: Any) -> Any:
    """Return what is said with every text as short as HQ keeps it."""
    if isinstance(said, dict):
        return {name: _cut(value) for name, value in said.items()}
    return _text(said) if isinstance(said, str) else said


def _held(catalog: Store) -> Heartbeat:
    """Return what is held of the catalogue; a missing or damaged one is told as one that holds nothing."""
    try:
        database = catalog.read()
        facts = dict(database.execute("select name, value from catalog_fact where name in ('line', 'jumps')").fetchall())
        return {
            "catalog": {name: _shown(held) for name, held in sync_cursors(database).items()},
            "publication": publication(database),
            "line": facts.get("line", ""),
            "jumps": json.loads(facts.get("jumps", "null")),
        }
    except (FileNotFoundError, DatabaseError):
        return {"catalog": {}, "publication": 0, "line": "", "jumps": None}


def _unfit(catalog: Store) -> LeftOut:
    try:
        return left_out(catalog.read())
    except (FileNotFoundError, DatabaseError):
        return LeftOut(rows=0, since=None, examples=())


def _shown(held: SyncCursor) -> dict[str, Any]:
    return {"epoch": held.epoch[:EPOCH_SHOWN], "version": held.version, "root": held.root[:ROOT_SHOWN]}


def _boot_id() -> str | None:
    try:
        return BOOT_ID.read_text(encoding="ascii")[:8]
    except OSError:
        return None


def _bytes_in(folder: Path) -> int:
    """Return the size of the files of a folder; one that is removed meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < MOST else None


def _text(value: Any) -> str | None:
    """Return a text of one line that can be stored; what no screen shows, a line's end included, is a space."""
    if not isinstance(value, str):
        return None
    return "".join(letter if letter.isprintable() else " " for letter in without_halves(value[:LONGEST_TEXT]))


def _moment(value: Any) -> str | None:
    """Return a moment in the one form in which times are written and sort."""
    return value if clock.is_text(value) else None


def _ring(value: Any) -> str:
    return value if value in RINGS else "stable"


def _track(value: Any) -> str:
    return _text(value) or ""


def _catalog(value: Any) -> dict[str, Any]:
    held = value if isinstance(value, dict) else {}
    kinds = {"epoch": _text, "version": _whole, "root": _text}
    return {name: _object(held[name], kinds) for name in CHANNELS if isinstance(held.get(name), dict)}


def _faults(value: Any) -> dict[str, str | None]:
    said = value if isinstance(value, dict) else {}
    known = [code for code in said if isinstance(code, str) and CODE.fullmatch(code)]
    return {code: _moment(said[code]) for code in known[:MOST_FAULTS]}


def _clock(value: Any) -> dict[str, Any] | None:
    return _object(value, {"wall": _moment, "up_s": _whole, "boot": _text, "known": _truth})


def _printer(value: Any) -> dict[str, Any] | None:
    return _object(value, {"name": _text, "state": _text, "queue": _whole})


def _jumps(value: Any) -> dict[str, Any] | None:
    return _object(value, {"line": _text, "publication": _whole, "changed": _whole, "jumped": _whole})


def _failed(value: Any) -> dict[str, Any] | None:
    return _object(value, {"line": _text, "publication": _whole, "code": _text})


def _left_out(value: Any) -> dict[str, Any] | None:
    said = _object(value, {"rows": _whole, "examples": _examples})
    return said if said and said["rows"] else None


def _examples(value: Any) -> list[str]:
    said = [_text(each) for each in value[:MOST_EXAMPLES]] if isinstance(value, list) else []
    return [text for text in said if text]


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: Any, kinds: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return {name: kind(value.get(name)) for name, kind in kinds.items()}


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "catalog": _catalog,
    "publication": _whole,
    "line": _track,
    "jumps": _jumps,
    "failed": _failed,
    "left_out": _left_out,
    "ring": _ring,
    "software": _text,
    "sqlite": _text,
    "printer": _printer,
    "pending": _whole,
    "oldest_at": _moment,
    "next_counter": _whole,
    "faults": _faults,
    "clock": _clock,
    "corner_sha256": _text,
    "disk_free": _whole,
    "media_bytes": _whole,
}
