"""Drawings and pictures on the kiosk's disk: fetched little by little by assortment, within a budget, checked by their hash.

Invariant: a file has its blob's name only once it is complete and right; what is missing, bad or thrown out costs a page
nothing but the better picture. The directory is the whole record: a file's time of change is when it was last shown.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlite_utils import Database

from pos.files import read_file
from pos.media import MOST_BYTES, Medium, WantedBlob, known_blobs, medium_by_sha256, wanted_of_shelf, wanted_of_table
from sync.blobs import BlobRef, BlobSource
from sync.errors import Offline, SyncError

BUDGET_BYTES = 64 * 2**20
ROUND_BYTES = 2**20
"""What one round may fetch: at 1 Mbit/s the next look at prices waits eight seconds."""
LEAST_FREE_BYTES = 200 * 2**20
MOST_ASKED = 64
MOST_TRIES_A_ROUND = 40
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=24)
PART = ".part"

LOG = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Fetched:
    """What one round fetched; `is_paused` when the disk had no room to spare."""

    files: int = 0
    bytes: int = 0
    refused: int = 0
    is_paused: bool = False


@dataclass(slots=True)
class _Failure:
    count: int
    not_before: datetime


@dataclass(slots=True)
class _Shelf:
    """What lies in the directory during one round: each file's size, when it was last shown, and which blobs have a row."""

    budget_bytes: int
    sizes: dict[str, int] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    table: set[str] = field(default_factory=set)

    @property
    def bytes(self) -> int:
        """All bytes, begun files included."""
        return sum(self.sizes.values())

    def victims(self, length: int, *, spared: set[str]) -> list[str] | None:
        """Return what must go for `length` bytes more: unnamed files first, then the longest not shown; None if it cannot be."""
        over = self.bytes + length - self.budget_bytes
        victims = []
        for name in sorted(self.sizes, key=lambda name: (_blob(name) in self.named, self.shown[name], name)):
            if over <= 0:
                break
            if _blob(name) not in spared:
                victims.append(name)
                over -= self.sizes[name]
        return victims if over <= 0 else None


class MediaStore:
    """The media of one kiosk directory. Pages ask and read from any thread; one thread at a time fetches."""

    def __init__(self, directory: Path, *, free_bytes: Callable[[Path], int] | None = None) -> None:
        self._directory = directory
        self._free_bytes = free_bytes or (lambda path: shutil.disk_usage(path).free)
        self._lock = threading.Lock()
        self._asked: deque[str] = deque(maxlen=MOST_ASKED)
        self._shown: dict[str, float] = {}
        self._checked: dict[str, tuple[int, int, int]] = {}
        self._failures: dict[str, _Failure] = {}

    def has(self, sha256: str) -> bool:
        """Tell whether the blob is here and right: its bytes are hashed once for as long as the file does not change."""
        path = self._directory / sha256
        try:
            file = path.stat()
            state = (file.st_ino, file.st_size, file.st_ctime_ns)
            if self._checked.get(sha256) == state:
                return True
            is_right = hashlib.sha256(read_file(path, most_bytes=MOST_BYTES)).hexdigest() == sha256
        except OSError:
            return False
        if is_right:
            self._checked[sha256] = state
        return is_right

    def is_open(self) -> bool:
        """Tell whether this process may read and write the folder, or make it."""
        is_open = os.access(self._directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
        return is_open or not os.path.exists(self._directory)

    def is_empty(self) -> bool:
        """Tell whether nothing was ever fetched: pages then look nothing up."""
        return not os.path.exists(self._directory)

    def first_here(self, media: Iterable[Medium]) -> Medium | None:
        """Return the first of `media` that is here; those before it, which would be better, are asked for."""
        missing: list[str] = []
        held = None
        for medium in media:
            if self.has(medium.sha256):
                held = medium
                break
            missing.append(medium.sha256)
        for sha256 in reversed(missing):
            self.ask(sha256)
        return held

    def ask(self, sha256: str) -> None:
        """Put a blob that a page missed before all others in the next round."""
        with self._lock:
            if sha256 in self._asked:
                self._asked.remove(sha256)
            self._asked.append(sha256)

    def read(self, sha256: str, *, now: datetime) -> bytes | None:
        """Return the blob's bytes and note that it was shown, or None when it is not here."""
        if not self.has(sha256):
            return None
        with suppress(OSError):
            content = read_file(self._directory / sha256, most_bytes=MOST_BYTES)
            with self._lock:
                self._shown[sha256] = now.timestamp()
            return content
        return None

    def totals(self) -> tuple[int, int]:
        """Return how many blobs are here, and their bytes with those begun."""
        shelf = self._look(0)
        return sum(not name.endswith(PART) for name in shelf.sizes), shelf.bytes

    def fetch(self, source: BlobSource, catalog: Database, *, table: list[int], budget_bytes: int, now: datetime) -> Fetched:
        """Fetch what is wanted most, up to `ROUND_BYTES`; `table` names the SKUs on the corner's table.

        First what pages missed, then the table, then the shelf in its own order while there is room. What is missed may push out
        what was not shown for longest, never what lies on the table; the shelf pushes out nothing.
        Raises: Offline, OSError for the kiosk's own disk; what was fetched stays.
        """
        self._directory.mkdir(exist_ok=True)
        fetched, shelf = Fetched(), self._look(budget_bytes)
        self._note_shown(shelf)
        on_table = wanted_of_table(catalog, table)
        shelf.table = {wanted.sha256 for wanted in on_table}
        shelf.named = known_blobs(catalog, map(_blob, shelf.sizes))
        if not self._make_room(shelf, 0, spared=shelf.table):
            # The budget was made smaller than the table.
            self._make_room(shelf, 0, spared=set())
        if self._free_bytes(self._directory) < LEAST_FREE_BYTES:
            fetched.is_paused = True
            return fetched
        for wanted, may_push_out in self._wanted(catalog, on_table):
            if fetched.bytes >= ROUND_BYTES or fetched.refused >= MOST_TRIES_A_ROUND:
                break
            if self._is_due(wanted, shelf, now):
                needed = wanted.length - shelf.sizes.get(wanted.sha256 + PART, 0)
                if self._make_room(shelf, needed, spared=shelf.table if may_push_out else shelf.named):
                    self._bring(source, wanted, shelf, fetched, now)
                elif not may_push_out:
                    break
        return fetched

    def _wanted(self, catalog: Database, on_table: list[WantedBlob]) -> Iterator[tuple[WantedBlob, bool]]:
        """Yield blobs in the order they are wanted, and whether each may push out what was not shown for longest."""
        with self._lock:
            asked = list(self._asked)
        for sha256 in reversed(asked):
            medium = medium_by_sha256(catalog, sha256)
            if medium is None or self.has(sha256):
                self._forget(sha256)
            else:
                yield WantedBlob(sha256, medium.length), True
        yield from ((wanted, True) for wanted in on_table)
        yield from ((wanted, False) for wanted in wanted_of_shelf(catalog))

    def _is_due(self, wanted: WantedBlob, shelf: _Shelf, now: datetime) -> bool:
        if wanted.length > MOST_BYTES:
            return False
        if wanted.sha256 in shelf.sizes:
            with self._lock:
                is_missed = wanted.sha256 in self._asked
            if not is_missed:
                return False
            # A page found it spoilt on our own disk: it is fetched again, whole.
            self._throw_out(shelf, wanted.sha256)
        failure = self._failures.get(wanted.sha256)
        return failure is None or now >= failure.not_before

    def _bring(self, source: BlobSource, wanted: WantedBlob, shelf: _Shelf, fetched: Fetched, now: datetime) -> None:
        try:
            source.blob(BlobRef.read({"sha256": wanted.sha256, "length": wanted.length}), self._directory / wanted.sha256)
        except Offline:
            raise
        except SyncError as problem:
            LOG.warning("medium %s was not taken: %s", wanted.sha256, problem)
            fetched.refused += 1
            count = self._failures[wanted.sha256].count + 1 if wanted.sha256 in self._failures else 1
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(count - 1, 12))
            self._failures[wanted.sha256] = _Failure(count, now + wait)
            self._throw_out(shelf, wanted.sha256 + PART)
            return
        self._failures.pop(wanted.sha256, None)
        self._forget(wanted.sha256)
        shelf.sizes.pop(wanted.sha256 + PART, None)
        shelf.named.add(wanted.sha256)
        shelf.sizes[wanted.sha256], shelf.shown[wanted.sha256] = wanted.length, now.timestamp()
        os.utime(self._directory / wanted.sha256, (now.timestamp(), now.timestamp()))
        fetched.files += 1
        fetched.bytes += wanted.length

    def _make_room(self, shelf: _Shelf, length: int, *, spared: set[str]) -> bool:
        victims = shelf.victims(length, spared=spared)
        for name in victims or ():
            self._throw_out(shelf, name)
        return victims is not None

    def _throw_out(self, shelf: _Shelf, name: str) -> None:
        (self._directory / name).unlink(missing_ok=True)
        shelf.sizes.pop(name, None)
        self._checked.pop(name, None)

    def _look(self, budget_bytes: int) -> _Shelf:
        shelf = _Shelf(budget_bytes)
        with suppress(OSError), os.scandir(self._directory) as entries:
            for entry in entries:
                with suppress(OSError):
                    file = entry.stat(follow_symlinks=False)
                    shelf.sizes[entry.name], shelf.shown[entry.name] = file.st_size, file.st_mtime
        return shelf

    def _note_shown(self, shelf: _Shelf) -> None:
        """Write down when files were last shown; pages only remember it, since reading a page never writes."""
        with self._lock:
            shown, self._shown = self._shown, {}
        for sha256, moment in shown.items():
            if sha256 in shelf.shown:
                shelf.shown[sha256] = moment
                with suppress(FileNotFoundError):
                    os.utime(self._directory / sha256, (moment, moment))

    def _forget(self, sha256: str) -> None:
        with self._lock, suppress(ValueError):
            self._asked.remove(sha256)


def _blob(name: str) -> str:
    """Return the blob that a file is, or the beginning of."""
    return name.removesuffix(PART)
