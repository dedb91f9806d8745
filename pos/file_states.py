"""What keeps a SQLite file from being used, by its true name: a person mends each state in another way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pos.db import sqlite3  # type: ignore[attr-defined]
from pos.errors import (
    CatalogMissing,
    CatalogUnreadable,
    DiskFull,
    RecordsBusy,
    RecordsDamaged,
    RecordsMissing,
    RecordsReadOnly,
    RecordsUnreadable,
    Unavailable,
)

State = Literal["missing", "unreadable", "read_only", "full", "busy", "damaged"]

RECORDS: dict[State, type[Unavailable]] = {
    "missing": RecordsMissing,
    "unreadable": RecordsUnreadable,
    "read_only": RecordsReadOnly,
    "full": DiskFull,
    "busy": RecordsBusy,
    "damaged": RecordsDamaged,
}
BY_CODE: dict[int, State] = {
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PERM: "unreadable",
}


def state_of(path: Path, problem: Exception) -> State:
    """Return what keeps the file at `path` from being used, from what was said of it and what the system says of it now.

    Opening a file, and the log beside it, fails in the same words whatever the reason (SQLITE_CANTOPEN), so the system is asked.
    """
    primary = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if BY_CODE.get(primary) in ("full", "busy"):
        return BY_CODE[primary]
    try:
        os.stat(path)
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
    if not _may(path, os.R_OK) or not _may(path.parent, os.R_OK | os.X_OK) or not path.is_file():
        return "unreadable"
    if not _may(path, os.W_OK) or not _may(path.parent, os.W_OK):
        return "read_only"
    return BY_CODE.get(primary, "damaged")


def records_problem(path: Path, problem: Exception) -> Unavailable:
    """Return the refusal that names why ops.db cannot be used."""
    if isinstance(problem, Unavailable):
        return problem
    return RECORDS[state_of(path, problem)](f"{path}: {' '.join(str(problem).split())}; the file is left as it is")


def catalog_problem(path: Path, problem: Exception) -> Unavailable:
    """Return the refusal that tells a catalogue to be fetched from one that no fetching brings back."""
    is_closed = state_of(path, problem) in ("unreadable", "read_only")
    return (CatalogUnreadable if is_closed else CatalogMissing)(f"{path}: {' '.join(str(problem).split())}")


def _may(path: Path, mode: int) -> bool:
    """Tell whether this process may; a file system mounted read-only says no to writing (access(2), EROFS)."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
