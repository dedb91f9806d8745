"""How a catalogue gets to where HQ's head says: by segments inside one transaction, or by a snapshot built in a file aside.

Readers see the old catalogue or the new one, never a mixture, and nothing is committed or moved in place whose root is not the
head's. HQ brings its own replica forward with the same code.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlite_utils import Database

from pos.catalog import CHANNELS, create_catalog, create_indexes, publication, refresh
from pos.db import DatabaseError, Store, connect, write
from sync.blobs import BlobRef, check, sync_directory
from sync.changes import Touched, apply_segment
from sync.channels import SyncCursor, root_of, store_facts, store_sync_cursor, sync_cursors
from sync.errors import Gap, Malformed, Untrusted, WrongRoot
from sync.hashing import Hashing
from sync.heads import ChannelHead, Head, SegmentRef, read_head
from sync.roots import RootState
from sync.segments import MAX_BLOB_BYTES, Segment, decode_part, decode_segment
from sync.snapshots import Manifest, decode_manifest, load_part

ROOMY_CACHE = -32_000
BUILD_CACHE = -16_000
"""In SQLite's unit: 32 and 16 MB; building has a second process beside it, so it takes less."""

Progress = Callable[[str, int, int], None]


class Source(Protocol):
    """Where heads and blobs come from: the network, or a directory."""

    @property
    def received(self) -> int:
        """Bytes that came in so far."""

    def head(self, market: str) -> dict[str, Any]:
        """Return the market's head."""

    def blob(self, ref: BlobRef, into: Path) -> None:
        """Bring a blob to `into`, checked against `ref`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What one look at the head led to. Bytes are what came over the line; `apply_ms` is what applying segments took."""

    before: int
    publication: int
    published_at: str
    segments: int = 0
    parts: int = 0
    rows: int = 0
    bytes: int = 0
    apply_ms: int | None = None
    touched: Touched | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the head offered was older than what is held, and was left aside."""
        return self.publication < self.before


@dataclass(frozen=True, slots=True)
class _Applied:
    rows: int
    segments: int = 0
    parts: int = 0
    apply_ms: int | None = None
    touched: Touched | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    publication: int
    cursors: dict[str, SyncCursor]


def follow(catalog: Store, source: Source, market: str, *, now: datetime, progress: Progress | None = None) -> Moved:
    """Bring `catalog` to the head of `market`.

    One at a time may call this for a file (see `sync.rounds`). A damaged file is kept as `catalog.db.damaged` and replaced.
    Raises: WrongRoot, Untrusted, Malformed, TooLarge, Offline, Rejected; the catalogue then stands where it stood.
    """
    received = source.received
    head = read_head(source.head(market))
    if head.market != market:
        raise Untrusted(f"the head of {head.market} was served for {market}")
    held = _held(catalog, market)
    if held is not None and head.publication <= held.publication and _is_level(head, held):
        return Moved(before=held.publication, publication=held.publication, published_at=head.published_at)
    if held is not None and head.publication < held.publication:
        return Moved(before=held.publication, publication=head.publication, published_at=head.published_at)
    before = held.publication if held else 0
    blobs = _Blobs(catalog.path.with_name("blobs"), source)
    try:
        applied = _by_segments(catalog, head, held, blobs, now=now)
    except (Gap, WrongRoot, Malformed, DatabaseError) as problem:
        # Whatever is wrong with our rows or with a segment, a snapshot does not depend on it.
        if isinstance(problem, DatabaseError) and not _is_damage(problem):
            raise
        if isinstance(problem, DatabaseError):
            _set_aside(catalog)
        applied = _by_snapshot(catalog, head, blobs, now=now, progress=progress)
    blobs.clear()
    return Moved(
        before=before,
        publication=head.publication,
        published_at=head.published_at,
        segments=applied.segments,
        parts=applied.parts,
        rows=applied.rows,
        bytes=source.received - received,
        apply_ms=applied.apply_ms,
        touched=applied.touched,
    )


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
        is_damaged = _is_damage(problem)
    if is_damaged:
        _set_aside(catalog)
    return is_damaged


class _Blobs:
    """The blobs fetched so far; they outlast a failure, so that the next attempt goes on from there."""

    def __init__(self, directory: Path, source: Source) -> None:
        self._directory = directory
        self._source = source

    def path(self, ref: BlobRef) -> Path:
        if ref.length > MAX_BLOB_BYTES:
            raise Malformed(f"blob {ref.sha256} is announced with {ref.length} bytes")
        path = self._directory / ref.sha256
        if path.exists():
            with suppress(Untrusted):
                check(path.read_bytes(), ref)
                return path
            path.unlink()
        self._source.blob(ref, path)
        return path

    def read(self, ref: BlobRef) -> bytes:
        return check(self.path(ref).read_bytes(), ref)

    def clear(self) -> None:
        if self._directory.exists():
            for path in self._directory.iterdir():
                path.unlink()


def _held(catalog: Store, market: str) -> _Held | None:
    """Return what the catalogue stands at; None when there is none, or it was damaged and set aside."""
    if not catalog.path.exists():
        return None
    try:
        database = catalog.read()
        cursors = sync_cursors(database)
        (of_market,) = database.execute("select max(value) from catalog_fact where name = 'market'").fetchone()
        # The numbers of two markets do not compare: a corner that moved starts from nothing.
        is_ours = of_market == market and len(cursors) == len(CHANNELS)
        return _Held(publication(database), cursors) if is_ours else None
    except DatabaseError as problem:
        if not _is_damage(problem):
            raise
        _set_aside(catalog)
        return None


def _is_damage(problem: DatabaseError) -> bool:
    """Whether the file contradicts itself or is no catalogue; a full disk, a lock or a failing read is no reason to drop it."""
    signs = ("malformed", "not a database", "no such table", "no such column", "vtable constructor failed")
    return any(sign in str(problem) for sign in signs)


def _set_aside(catalog: Store) -> None:
    catalog.close()
    path = catalog.path
    path.replace(path.with_name(f"{path.name}.damaged"))
    _remove_logs(path)


def _is_level(head: Head, held: _Held) -> bool:
    return all(
        (held.cursors[name].epoch, held.cursors[name].version, held.cursors[name].root)
        == (there.epoch, there.version, there.root)
        for name, there in head.channels.items()
    )


def _by_segments(catalog: Store, head: Head, held: _Held | None, blobs: _Blobs, *, now: datetime) -> _Applied:
    if held is None:
        raise Gap("there is no catalogue yet")
    ways = {
        name: _way(name, there, held.cursors[name].epoch, held.cursors[name].version) for name, there in head.channels.items()
    }
    blobs_read = {name: [blobs.read(ref.blob) for ref in way] for name, way in ways.items()}
    started = time.perf_counter()
    fetched = {name: [decode_segment(blob) for blob in read] for name, read in blobs_read.items()}
    touched: Touched = {}
    with catalog.write() as database, _roomy_cache(database):
        for name, there in head.channels.items():
            here = sync_cursors(database)[name]
            state = here.state.copy()
            for segment, ref in zip(fetched[name], ways[name], strict=True):
                _apply(database, name, there.epoch, ref, segment, state, touched)
            _must_be(name, there, state)
            if here.version != there.version:
                store_sync_cursor(database, name, epoch=there.epoch, version=there.version, state=state, now=now)
        refresh(database, touched)
        store_facts(database, _facts(head))
    apply_ms = round((time.perf_counter() - started) * 1000)
    segments, rows = sum(map(len, ways.values())), sum(map(len, touched.values()))
    return _Applied(rows=rows, segments=segments, apply_ms=apply_ms, touched=touched)


@contextmanager
def _roomy_cache(database: Database) -> Iterator[None]:
    """Give changes spread over the whole file room in memory, and give the memory back: it makes them twice as fast."""
    (usual,) = database.execute("pragma cache_size").fetchone()
    database.execute(f"pragma cache_size={ROOMY_CACHE}").fetchall()
    try:
        yield
    finally:
        database.execute(f"pragma cache_size={usual}").fetchall()
        database.execute("pragma shrink_memory").fetchall()


def _way(name: str, there: ChannelHead, epoch: str, version: int) -> list[SegmentRef]:
    """Return the shortest chain of segments from `version`, which reaches furthest with each step. Raises: Gap."""
    if epoch != there.epoch or version > there.version:
        raise Gap(f"{name} began again at HQ", channel=name)
    way: list[SegmentRef] = []
    while version < there.version:
        open_now = [ref for ref in there.segments if ref.first <= version + 1 <= ref.last]
        if not open_now:
            raise Gap(f"no segment leads on from {name} {version}", channel=name)
        way.append(max(open_now, key=lambda ref: ref.last))
        version = way[-1].last
    return way


def _apply(
    database: Database, name: str, epoch: str, ref: SegmentRef, segment: Segment, state: RootState, touched: Touched
) -> None:
    if (segment.channel, segment.epoch, segment.first, segment.last) != (name, epoch, ref.first, ref.last):
        raise Malformed(f"the head names another segment than {segment.channel} {segment.first}-{segment.last}")
    apply_segment(database, segment, state, touched)
    if root_of(name, state) != segment.post_root:
        raise WrongRoot(f"{name} does not add up after version {segment.last}", channel=name)


def _must_be(name: str, there: ChannelHead, state: RootState) -> None:
    if root_of(name, state) != there.root:
        raise WrongRoot(f"{name} does not add up to the head's root", channel=name)


def _by_snapshot(catalog: Store, head: Head, blobs: _Blobs, *, now: datetime, progress: Progress | None) -> _Applied:
    manifests = {name: decode_manifest(blobs.read(there.snapshot.manifest)) for name, there in head.channels.items()}
    ways = {name: _way(name, there, there.epoch, there.snapshot.version) for name, there in head.channels.items()}
    hashing = Hashing()
    aside = catalog.path.with_name(f"{catalog.path.name}.new")
    try:
        paths = _fetch(manifests, blobs, hashing, progress)
        segments = {name: [decode_segment(blobs.read(ref.blob)) for ref in way] for name, way in ways.items()}
        database = new_catalog(aside)
        try:
            rows = _load(database, paths, progress)
            with write(database):
                deltas = {name: RootState() for name in CHANNELS}
                for name, way in segments.items():
                    for segment in way:
                        apply_segment(database, segment, deltas[name], {})
                refresh(database, None)
                states = hashing.states()
                for name, there in head.channels.items():
                    state = states.get(name, RootState())
                    state.merge(deltas[name])
                    _must_be(name, there, state)
                    store_sync_cursor(database, name, epoch=there.epoch, version=there.version, state=state, now=now)
                store_facts(database, _facts(head))
            finish_catalog(database)
        finally:
            database.close()
        install(catalog, aside)
    finally:
        hashing.stop()
        aside.unlink(missing_ok=True)
    return _Applied(rows=rows, segments=sum(map(len, ways.values())), parts=len(paths))


def _fetch(manifests: dict[str, Manifest], blobs: _Blobs, hashing: Hashing, progress: Progress | None) -> list[Path]:
    refs = [ref for manifest in manifests.values() for ref in manifest.parts]
    paths = []
    for done, ref in enumerate(refs):
        if progress is not None:
            progress("fetch", done, len(refs))
        paths.append(blobs.path(ref))
        hashing.feed(paths[-1])
    return paths


def _load(database: Database, paths: list[Path], progress: Progress | None) -> int:
    rows = 0
    with write(database):
        for done, path in enumerate(paths):
            if progress is not None:
                progress("load", done, len(paths))
            rows += load_part(database, decode_part(path.read_bytes()))
    create_indexes(database)
    return rows


def _facts(head: Head) -> dict[str, str]:
    return {**head.facts, "market": head.market, "publication": str(head.publication), "published_at": head.published_at}


def new_catalog(aside: Path) -> Database:
    """Return an empty catalogue in a file of its own, fast because a crash may ruin it: nobody reads it yet."""
    aside.unlink(missing_ok=True)
    _remove_logs(aside)
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
    _remove_logs(catalog.path)
    aside.replace(catalog.path)
    sync_directory(catalog.path.parent)


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


def _remove_logs(path: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
