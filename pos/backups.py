"""Copies of ops.db, one an hour and one a day, and how one of them comes back into its place.

Invariants: a copy has its name only once it was read through; a restore keeps what stood there, whole; and a device whose records
lost a slip or an event signs nothing more under its key, so that no number is given twice.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pos import clock
from pos.db import DatabaseError, connect, copy_database, sync_folder
from pos.errors import DiskFull, NotFound, RecordsDamaged
from pos.ops import RESERVE_BYTES, open_ops

FOLDER, SET_ASIDE = "backup", "set-aside"
Period = Literal["hour", "day"]
KEPT: dict[Period, int] = {"hour": 24, "day": 7}
LENGTHS: dict[Period, int] = {"hour": len("2026-11-22T14"), "day": len("2026-11-22")}
"""How much of the time a copy's name holds."""


@dataclass(frozen=True, slots=True)
class RecordsCopy:
    """One copy, and what it holds: how many slips, and the seq of its last event; None where it cannot be read."""

    path: Path
    slips: int | None
    events: int | None


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: where what stood there is kept, and whether the device's key went with it."""

    slips: int
    kept: Path
    must_enrol: bool


def back_up(path: Path, *, period: Period, now: datetime, folder: Path | None = None) -> Path:
    """Keep a copy of the records at `path` as of this hour or day, unless it is there; the last 24 or seven made stay.

    It stands in `folder`, by default in `backup/` beside them. A copy dated later was made before this one, by a clock that ran
    ahead: it goes before those with a true date. Raises: RecordsDamaged (the copy could not be read through, and is not kept),
    DiskFull, DatabaseError, OSError.
    """
    folder = folder or path.parent / FOLDER
    target = folder / f"ops-{clock.to_text(now)[: LENGTHS[period]]}.db"
    if target.exists():
        return target
    folder.mkdir(exist_ok=True)
    if shutil.disk_usage(folder).free < path.stat().st_size + 2 * RESERVE_BYTES:
        raise DiskFull(f"no room for a copy in {folder}")
    save_copy(path, target)
    copies = sorted(_of(folder, period), key=lambda copy: (copy.name <= target.name, copy.name))
    for old in copies[: -KEPT[period]]:
        old.unlink()
    return target


def save_copy(path: Path, target: Path) -> Path:
    """Copy the records at `path` to `target`, read the copy through, and return it; it has its name only then.

    Raises: RecordsDamaged (the copy could not be read through, and is not kept), DatabaseError, OSError.
    """
    unread = copy_database(path, target.with_suffix(".unread"))
    if (seen := _look_at(unread)).slips is None:
        unread.unlink()
        raise RecordsDamaged(f"a copy of {path} could not be read through: {seen.path}")
    unread.replace(target)
    sync_folder(target.parent)
    return target


def copies_of(directory: Path) -> list[RecordsCopy]:
    """Return the copies of a kiosk's directory, the newest last, each read through."""
    return [_look_at(path) for path in sorted((directory / FOLDER).glob("ops-*.db"))]


def restore(directory: Path, copy: Path, *, now: datetime) -> Restored:
    """Put a copy of the records in their place; nobody else may have the directory open.

    What stood there is kept in `set-aside/`. Where it held more than the copy, or could not be read, the device's key goes there,
    too: HQ and customers have heard of what the copy does not know. Cut short, it may be called again.
    Raises, having changed nothing: NotFound; RecordsDamaged and the other states of `pos.file_states` for an unusable copy.
    """
    if not copy.is_file():
        raise NotFound(f"no copy at {copy}")
    place, made = directory / "ops.db", directory / "ops.db.restored"
    made.unlink(missing_ok=True)
    shutil.copyfile(copy, made)
    made.chmod(0o600)
    # Opened as the app opens it: a copy of a newer version, or one that its disk spoilt, is refused here.
    open_ops(made).close()
    if (told := _look_at(made)).slips is None:
        made.unlink()
        raise RecordsDamaged(f"{copy} cannot be read through; nothing was changed")
    must_enrol = (directory / "device.key").exists() and not _holds_as_much(told, place)
    kept = _free_folder(directory / SET_ASIDE, clock.to_text(now).replace(":", "-"))
    # The key first: cut short here, the device signs nothing before it is enrolled again. The log is moved after its file.
    for name in (*(["device.key"] if must_enrol else []), "ops.db", "ops.db-wal", "ops.db-shm"):
        if (directory / name).exists():
            (directory / name).rename(kept / name)
    made.rename(place)
    sync_folder(directory)
    return Restored(slips=told.slips, kept=kept, must_enrol=must_enrol)


def _of(folder: Path, period: Period) -> Iterator[Path]:
    return (path for path in folder.glob("ops-*.db") if len(path.stem) == len("ops-") + LENGTHS[period])


def _look_at(path: Path) -> RecordsCopy:
    """Read a copy through; what SQLite finds wrong with it leaves it without numbers."""
    try:
        database = connect(path, durable=True, wal=False, is_new=False)
        try:
            if database.execute("pragma integrity_check(1)").fetchone() != ("ok",):
                return RecordsCopy(path, None, None)
            slips = database.execute("select count(*) from slip").fetchone()[0]
            events = database.execute("select ifnull(max(seq), 0) from outbox").fetchone()[0]
            return RecordsCopy(path, int(slips), int(events))
        finally:
            database.close()
    except (DatabaseError, OSError):
        return RecordsCopy(path, None, None)


def _holds_as_much(told: RecordsCopy, place: Path) -> bool:
    """Tell whether a copy knows of every slip and event that the records it replaces know of."""
    try:
        database = connect(place, durable=True, is_new=False)
        try:
            slips = database.execute("select count(*) from slip").fetchone()[0]
            events = database.execute("select ifnull(max(seq), 0) from outbox").fetchone()[0]
        finally:
            database.close()
    except (DatabaseError, OSError):
        return False
    return (told.slips, told.events) == (slips, events)


def _free_folder(parent: Path, name: str) -> Path:
    """Make a folder of a name that nothing has yet."""
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            os.makedirs(folder, mode=0o700)
        except FileExistsError:
            number += 1
            continue
        return folder
