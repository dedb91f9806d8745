"""The files of a kiosk directory as requests and threads use them: the catalogue, the corner's own records, the pictures.

Invariant: records that cannot be used are kept as they are, and whoever needs them is told what keeps them closed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from flask import current_app, g
from sqlite_utils import Database

from kiosk.printing.workers import Workers
from kiosk.recent_log import RecentLog
from kiosk.turns import Turns
from kiosk.voice import Voice
from pos import corners
from pos.corners import Corner
from pos.db import DatabaseError, Store
from pos.errors import NotFound, RecordsDamaged, Unavailable
from pos.file_states import catalog_problem
from sync.corner.media import MediaStore


@dataclass(slots=True)
class Kiosk:
    """The files of a kiosk directory. `ops` is None when its file cannot be used, for `trouble`: it is kept as it is."""

    directory: Path
    catalog: Store
    ops: Store | None
    version: str
    media: MediaStore
    trouble: Unavailable | None = None
    faults: dict[str, str] = field(default_factory=dict)
    log: RecentLog = field(default_factory=RecentLog)
    screen_seen_s: float = field(default_factory=time.monotonic)
    """When the browser on this machine was last heard, by steady time; the start counts as heard."""
    touched_s: float = field(default_factory=time.monotonic)
    """When anybody last touched a page, by steady time; the start counts as a touch."""
    turns: Turns = field(default_factory=Turns)
    price_news: threading.Event = field(default_factory=threading.Event)
    voice: Voice = field(default_factory=Voice)
    workers: Workers = field(init=False)

    def __post_init__(self) -> None:
        self.workers = Workers(lambda: self.ops)


def kiosk() -> Kiosk:
    """Return the kiosk this app serves."""
    found: Kiosk = current_app.extensions["comptoir"]
    return found


def catalog() -> Database:
    """Lend this thread's reader of the catalogue. Raises: CatalogMissing while there is none to read, CatalogUnreadable."""
    store = kiosk().catalog
    try:
        return store.read()
    except (DatabaseError, OSError) as problem:
        raise catalog_problem(store.path, problem) from problem


def ops_store() -> Store:
    """Return the store of the corner's own records. Raises: RecordsDamaged, or what else keeps them from being used."""
    opened = kiosk()
    if opened.ops is None:
        raise opened.trouble or RecordsDamaged()
    return opened.ops


def ops() -> Database:
    """Lend this thread's reader of the corner's own records. Raises: as `ops_store`."""
    return ops_store().read()


def corner() -> Corner:
    """Return this kiosk's corner, read once a request. Raises: NotFound before enrolment, and as `ops_store`."""
    if "corner" not in g:
        g.corner = corners.corner(ops())
    found: Corner = g.corner
    return found


def corner_or_none() -> Corner | None:
    """Return this kiosk's corner, or None before enrolment and while its records are damaged: browsing goes on without it."""
    try:
        return corner()
    except (NotFound, Unavailable, DatabaseError):
        return None
