"""The heartbeat: what a kiosk tells HQ of itself with every message, small, and how HQ reads it without believing it.

Invariant: what `read_heartbeat` returns has known fields of known kinds and never exceeds `MOST_BYTES` of JSON, whatever came.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict

from sqlite_utils import Database

from pos import clock, outbox
from pos.catalog import CHANNELS, publication
from pos.corners import corner
from pos.db import DatabaseError, Store, sqlite3  # type: ignore[attr-defined]
from pos.errors import NotFound
from pos.labels import count_labels, label_places
from pos.left_out import MOST_EXAMPLES, LeftOut, left_out
from pos.ops import setting
from pos.slip_claims import heard_upto
from pos.slips import next_counter
from sync.channels import SyncCursor, sync_cursors
from sync.documents import storable_text
from sync.faults import weightiest
from sync.heads import RINGS
from sync.releases import UPDATE, ToldUpdate

MOST_BYTES = 4096
SILENT_S = 600
TOLD = "told"
"""The setting that keeps what HQ was last told of our state, and when."""
MOST_FAULTS = 12
MOST_PLACES, LONGEST_PLACE = 12, 16
LONGEST_TEXT = 64
MOST = 2**53
EPOCH_SHOWN, ROOT_SHOWN = 8, 16
FAILED = "failed_line"
"""The setting that names the track and publication which could not be taken in, and why."""
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ToldChannel(TypedDict):
    """What is held of a channel; the epoch and the root are cut to what tells them apart."""

    epoch: str | None
    version: int | None
    root: str | None


class ToldJumps(TypedDict):
    """Of the prices the last changes moved, how many more than doubled or halved."""

    line: str | None
    publication: int | None
    changed: int | None
    jumped: int | None


class ToldFailure(TypedDict):
    """The line and publication that could not be taken in, and why."""

    line: str | None
    publication: int | None
    code: str | None


class ToldLeftOut(TypedDict):
    """How many published rows no page can show, and some of them as `table key: reason`."""

    rows: int | None
    examples: list[str]


class ToldLabels(TypedDict):
    """How many places want another label, which some of them are, how many prints nobody saw yet, how many labels must go."""

    due: int | None
    places: list[str]
    printed: int | None
    gone: int | None


class ToldPrinter(TypedDict):
    """The printer as the last print told it; `state` is `ok`, `fault`, `offline`, `unknown` or `none`."""

    name: str | None
    state: str | None
    queue: int | None


class ToldClock(TypedDict):
    """The kiosk's own time, seconds since the machine started, which start that was, whether HQ's time was ever heard."""

    wall: str | None
    up_s: int | None
    boot: str | None
    known: bool | None


class Heartbeat(TypedDict):
    """What a kiosk says of itself (docs/protocol.md §9); None is what it did not say, or not in the form it should have."""

    catalog: dict[str, ToldChannel]
    publication: int | None
    line: str
    jumps: ToldJumps | None
    failed: ToldFailure | None
    left_out: ToldLeftOut | None
    ring: str
    software: str | None
    update: ToldUpdate | None
    sqlite: str | None
    printer: ToldPrinter | None
    labels: ToldLabels | None
    pending: int | None
    oldest_at: str | None
    next_counter: int | None
    faults: dict[str, str | None]
    clock: ToldClock | None
    corner_sha256: str | None
    disk_free: int | None
    media_bytes: int | None
    claimed: int | None


def heartbeat_of(
    catalog: Store,
    ops: Store,
    *,
    software: str,
    printer: Mapping[str, object],
    own_faults: Mapping[str, str | None] = MappingProxyType({}),
    now: datetime,
) -> Heartbeat:
    """Return what HQ is told about this kiosk with every message, cut to what HQ keeps of it.

    `own_faults` are those of the running app (code and since when), beside what rounds have met.
    """
    database = ops.read()
    pending, oldest_at = outbox.depth(database, acked=setting(database, "acked") or 0)
    unfit = _unfit(catalog)
    faults = {**own_faults, **(setting(database, "sync_faults") or {}), **unfit.fault}
    return read_heartbeat(
        {
            **_held(catalog),
            "left_out": {"rows": unfit.rows, "examples": list(unfit.examples)},
            "failed": setting(database, FAILED),
            "ring": (setting(database, "corner") or {}).get("ring", "stable"),
            "software": software,
            "update": setting(database, UPDATE),
            "sqlite": sqlite3.sqlite_version,
            "printer": dict(printer),
            "labels": _labels_told(catalog, database, now=now),
            "pending": pending,
            "oldest_at": oldest_at,
            "next_counter": next_counter(database, setting(database, "key_id") or ""),
            "faults": {code: faults[code] for code in weightiest(faults)[:MOST_FAULTS]},
            "clock": {
                "wall": clock.to_text(now),
                "up_s": int(time.monotonic()),
                "boot": _boot_id(),
                "known": setting(database, "hq_time") is not None,
            },
            "corner_sha256": setting(database, "corner_sha256"),
            "disk_free": shutil.disk_usage(ops.path.parent).free,
            "media_bytes": _bytes_in(ops.path.parent / "media"),
            "claimed": heard_upto(database),
        }
    )


def state_of(heartbeat: Heartbeat) -> str:
    """Return a hash of what HQ should hear of at once when it changes.

    What moves with every publication or minute is left out, or each of them would bring a message from every kiosk.
    """
    printer = heartbeat["printer"]
    told = {
        "line": heartbeat["line"],
        "failed": heartbeat["failed"],
        "ring": heartbeat["ring"],
        "software": heartbeat["software"],
        "update": heartbeat["update"],
        "corner_sha256": heartbeat["corner_sha256"],
        "jumps": heartbeat["jumps"] if heartbeat["line"] else None,
        "printer": [printer["name"], printer["state"]] if printer else None,
        "faults": sorted(heartbeat["faults"]),
        "claimed": heartbeat["claimed"],
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
    fields = _object(said) or {}
    heartbeat: Heartbeat = {
        "catalog": _catalog(fields.get("catalog")),
        "publication": _whole(fields.get("publication")),
        "line": _text(fields.get("line")) or "",
        "jumps": _jumps(fields.get("jumps")),
        "failed": _failed(fields.get("failed")),
        "left_out": _left_out(fields.get("left_out")),
        "ring": _ring(fields.get("ring")),
        "software": _text(fields.get("software")),
        "update": _update(fields.get("update")),
        "sqlite": _text(fields.get("sqlite")),
        "printer": _printer(fields.get("printer")),
        "labels": _labels(fields.get("labels")),
        "pending": _whole(fields.get("pending")),
        "oldest_at": _moment(fields.get("oldest_at")),
        "next_counter": _whole(fields.get("next_counter")),
        "faults": _faults(fields.get("faults")),
        "clock": _clock(fields.get("clock")),
        "corner_sha256": _text(fields.get("corner_sha256")),
        "disk_free": _whole(fields.get("disk_free")),
        "media_bytes": _whole(fields.get("media_bytes")),
        "claimed": _whole(fields.get("claimed")),
    }
    if len(json.dumps(heartbeat, ensure_ascii=False).encode()) > MOST_BYTES:
        heartbeat["catalog"], heartbeat["faults"] = {}, {}
    return heartbeat


def _held(catalog: Store) -> dict[str, object]:
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


def _labels_told(catalog: Store, ops: Database, *, now: datetime) -> dict[str, object] | None:
    """Return what there is to do about labels; nothing without a catalogue or a corner to compare them with."""
    try:
        counts = count_labels(label_places(catalog.read(), ops, corner(ops), now=now))
    except (FileNotFoundError, NotFound, DatabaseError):
        return None
    return {
        "due": len(counts.due),
        "places": list(counts.due[:MOST_PLACES]),
        "printed": len(counts.printed),
        "gone": len(counts.gone),
    }


def _shown(held: SyncCursor) -> ToldChannel:
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
    return "".join(letter if letter.isprintable() else " " for letter in storable_text(value[:LONGEST_TEXT]))


def _moment(value: Any) -> str | None:
    """Return a moment in the one form in which times are written and sort."""
    return value if clock.is_text(value) else None


def _ring(value: Any) -> str:
    return value if value in RINGS else "stable"


def _catalog(value: Any) -> dict[str, ToldChannel]:
    held = _object(value) or {}
    return {name: _channel(channel) for name in CHANNELS if (channel := _object(held.get(name))) is not None}


def _channel(said: dict[str, Any]) -> ToldChannel:
    return {"epoch": _text(said.get("epoch")), "version": _whole(said.get("version")), "root": _text(said.get("root"))}


def _faults(value: Any) -> dict[str, str | None]:
    said = _object(value) or {}
    known = [code for code in said if isinstance(code, str) and CODE.fullmatch(code)]
    return {code: _moment(said[code]) for code in known[:MOST_FAULTS]}


def _clock(value: Any) -> ToldClock | None:
    if (said := _object(value)) is None:
        return None
    known = said.get("known")
    return {
        "wall": _moment(said.get("wall")),
        "up_s": _whole(said.get("up_s")),
        "boot": _text(said.get("boot")),
        "known": known if isinstance(known, bool) else None,
    }


def _update(value: Any) -> ToldUpdate | None:
    if (said := _object(value)) is None:
        return None
    return {"version": _text(said.get("version")), "state": _text(said.get("state")), "at": _moment(said.get("at"))}


def _printer(value: Any) -> ToldPrinter | None:
    if (said := _object(value)) is None:
        return None
    return {"name": _text(said.get("name")), "state": _text(said.get("state")), "queue": _whole(said.get("queue"))}


def _labels(value: Any) -> ToldLabels | None:
    if (said := _object(value)) is None:
        return None
    places = said.get("places")
    names = [_text(each) for each in places[:MOST_PLACES]] if isinstance(places, list) else []
    return {
        "due": _whole(said.get("due")),
        "places": [name[:LONGEST_PLACE] for name in names if name],
        "printed": _whole(said.get("printed")),
        "gone": _whole(said.get("gone")),
    }


def _jumps(value: Any) -> ToldJumps | None:
    if (said := _object(value)) is None:
        return None
    return {
        "line": _text(said.get("line")),
        "publication": _whole(said.get("publication")),
        "changed": _whole(said.get("changed")),
        "jumped": _whole(said.get("jumped")),
    }


def _failed(value: Any) -> ToldFailure | None:
    if (said := _object(value)) is None:
        return None
    return {"line": _text(said.get("line")), "publication": _whole(said.get("publication")), "code": _text(said.get("code"))}


def _left_out(value: Any) -> ToldLeftOut | None:
    said = _object(value) or {}
    rows, examples = _whole(said.get("rows")), said.get("examples")
    texts = [_text(example) for example in examples[:MOST_EXAMPLES]] if isinstance(examples, list) else []
    return {"rows": rows, "examples": [text for text in texts if text]} if rows else None


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
