"""ops.db: what the corner itself writes: slips, their outbox, selections, clerks' doings and print jobs.

Every commit is durable (`synchronous=FULL`): what a customer holds on paper is on disk before it.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from pos.db import DatabaseError, Store, connect
from pos.errors import RecordsMissing, RecordsNewer
from pos.file_states import records_problem
from pos.ops_tables import OLDEST_READER, migrations

READER = "oldest_reader"
"""The setting that tells earlier versions whether they can go on with the file, as after a step back."""
RESERVE = "reserve"
RESERVE_BYTES = 8 * 2**20
"""Room for some thousand slips: what a corner writes in the days it may take until somebody frees the disk."""


def open_ops(path: Path) -> Store:
    """Open ops.db, making or migrating it first; readers and writer come from the returned store.

    Raises: RecordsNewer, RecordsDamaged and the other states of `pos.file_states`: the file is left untouched.
    """
    try:
        database = connect(path, durable=True)
        try:
            if not _is_newer(database, path):
                migrations.apply(database)
                _name_oldest_reader(database)
            # A file that can only be read is found out here, not at the first tap.
            database.execute("delete from setting where false")
        finally:
            database.close()
    except (DatabaseError, OSError) as problem:
        raise records_problem(path, problem) from problem
    return Store(path, durable=True)


def open_kept_ops(directory: Path) -> Store:
    """Open the records of a kiosk's directory, or new ones where no device was ever enrolled.

    Raises: RecordsMissing where a device was: begun anew, its slips would be forgotten; and what `open_ops` raises.
    """
    path = directory / "ops.db"
    if (directory / "device.key").exists() and not path.exists():
        raise RecordsMissing(f"{path} is missing: put a copy from {directory / 'backup'} in its place, and enrol again")
    return open_ops(path)


def _is_newer(database: Database, path: Path) -> bool:
    """Tell whether a later version brought the file on; what later versions only added, this one passes over.

    Raises: RecordsNewer where it changed what this version needs.
    """
    known = {each.name for each in migrations.pending(Database(memory=True))}
    newer = {each.name for each in migrations.applied(database)} - known
    if newer and setting(database, READER) not in known:
        raise RecordsNewer(f"{path} was brought to {max(newer)} by a newer version, which alone reads it; it is left as it is")
    return bool(newer)


def _name_oldest_reader(database: Database) -> None:
    if setting(database, READER) != OLDEST_READER:
        store_setting(database, READER, OLDEST_READER)


def keep_reserve(directory: Path) -> bool:
    """Hold disk space back in `reserve`, for slips alone; return whether it is held.

    It is made again only where as much stays free beside it: made from the last of the disk it would be spent at once.
    """
    path = directory / RESERVE
    if path.exists() and path.stat().st_size == RESERVE_BYTES:
        return True
    path.unlink(missing_ok=True)
    if shutil.disk_usage(directory).free < 2 * RESERVE_BYTES:
        return False
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def release_reserve(directory: Path) -> bool:
    """Give the reserved space back, so that the write that met a full disk can be done; return whether there was any."""
    try:
        (directory / RESERVE).unlink()
    except FileNotFoundError:
        return False
    return True


def setting(database: Database, name: str) -> Any:
    """Return the JSON value stored under `name`, or None."""
    row = database.execute("select value from setting where name = ?", [name]).fetchone()
    return json.loads(row[0]) if row else None


def store_setting(database: Database, name: str, value: Any) -> None:
    """Store `value` as JSON under `name`; needs an open `write`."""
    database.execute(
        "insert into setting (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
        [name, json.dumps(value, ensure_ascii=False, sort_keys=True)],
    )
