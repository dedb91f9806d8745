"""The file of a catalogue: built aside, moved in place of the present one, set aside when it is damaged.

Readers see the old file or the new one; a damaged file is kept for whoever wants to know why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from pos.catalog import create_catalog
from pos.db import DatabaseError, Store, connect
from sync.blobs import sync_directory

ROOMY_CACHE = -32_000
BUILD_CACHE = -16_000
"""In SQLite's unit: 32 and 16 MB; building has a second process beside it, so it takes less."""


def new_catalog(aside: Path) -> Database:
    """Return an empty catalogue in a file of its own, fast because a crash may ruin it: nobody reads it yet."""
    aside.unlink(missing_ok=True)
    remove_logs(aside)
    database = connect(aside, durable=False, wal=False)
    for pragma in ("journal_mode=off", "synchronous=off", "locking_mode=exclusive", f"cache_size={BUILD_CACHE}"):
        database.execute(f"pragma {pragma}").fetchall()
    create_catalog(database)
    return database


def finish_catalog(database: Database) -> None:
    """Give the file its lasting form, so that the first reader has nothing to convert."""
    for pragma in ("locking_mode=normal", "journal_mode=wal"):
        database.execute(f"pragma {pragma}").fetchall()


def install(catalog: Store, aside: Path) -> None:
    """Move a closed catalogue in place of the present one. Readers at work keep the old file until they ask again."""
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    catalog.close()
    if catalog.path.exists() and not _is_checkpointed(catalog.path):
        # A reader keeps the old log busy. Without its file the log means nothing, so the file goes first:
        # a crash right here costs a rebuild, where the other order could leave the new file under the old log.
        catalog.path.unlink()
    remove_logs(catalog.path)
    aside.replace(catalog.path)
    sync_directory(catalog.path.parent)


def copy_catalog(source: Path, target: Path) -> None:
    """Make `target` a complete copy of the catalogue `source` as it is committed now."""
    target.unlink(missing_ok=True)
    remove_logs(target)
    aside = target.with_name(f"{target.name}.new")
    aside.unlink(missing_ok=True)
    database = connect(source, durable=False)
    try:
        database.execute("vacuum into ?", [str(aside)])
    finally:
        database.close()
    aside.replace(target)
    sync_directory(target.parent)


def set_aside(catalog: Store) -> None:
    """Keep a damaged file as `catalog.db.damaged`; there is no catalogue afterwards."""
    catalog.close()
    path = catalog.path
    path.replace(path.with_name(f"{path.name}.damaged"))
    remove_logs(path)


def is_damage(problem: DatabaseError) -> bool:
    """Whether the file contradicts itself or is no catalogue; a full disk, a lock or a failing read is no reason to drop it."""
    signs = ("malformed", "not a database", "no such table", "no such column", "vtable constructor failed")
    return any(sign in str(problem) for sign in signs)


def drop_damaged(catalog: Store) -> bool:
    """Read the whole file and set it aside where it contradicts itself; return whether it was. Needs the directory's lock.

    What `follow` looks at may be intact while other pages are not, and equal roots alone would then never bring new ones.
    """
    if not catalog.path.exists():
        return False
    try:
        # A connection of its own: one that read before would show the pages it remembers.
        database = connect(catalog.path, durable=False)
        try:
            is_damaged = bool(database.execute("pragma quick_check(1)").fetchone()[0] != "ok")
        finally:
            database.close()
    except DatabaseError as problem:
        is_damaged = is_damage(problem)
    if is_damaged:
        set_aside(catalog)
    return is_damaged


def remove_logs(path: Path) -> None:
    """Delete what SQLite keeps beside a file that is not open."""
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def roomy_writes(catalog: Store) -> Iterator[None]:
    """Let the block's transactions change rows all over the file: with room in memory, which makes them twice as fast.

    Readers see a transaction when it commits. That the file itself takes the pages in (a checkpoint, as long again) comes after
    the block, beside readers, and the memory is given back.
    """
    with catalog.writer() as database:
        pragmas = {"cache_size": ROOMY_CACHE, "wal_autocheckpoint": 0}
        usual = {name: database.execute(f"pragma {name}").fetchone()[0] for name in pragmas}
        try:
            _set(database, pragmas)
            yield
        finally:
            _set(database, usual)
            database.execute("pragma shrink_memory").fetchall()
        database.execute("pragma wal_checkpoint(passive)").fetchall()


def _set(database: Database, pragmas: dict[str, int]) -> None:
    for name, value in pragmas.items():
        database.execute(f"pragma {name}={value}").fetchall()


def _is_checkpointed(path: Path) -> bool:
    try:
        database = connect(path, durable=False)
        try:
            busy, _, _ = database.execute("pragma wal_checkpoint(truncate)").fetchone()
            return not busy
        finally:
            database.close()
    except DatabaseError:
        return False
