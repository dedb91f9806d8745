"""How a catalogue gets to where HQ's head says: by segments inside one transaction, or by a snapshot built in a file aside.

Readers see the old catalogue or the new one, never a mixture, and nothing is committed or moved in place whose root is not the
head's. HQ brings its own replicas forward with the same code.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sqlite_utils import Database

from pos.catalog import CHANNELS, TABLES, create_indexes, publication, refresh, upgrade_catalog
from pos.corners import Corner
from pos.db import DatabaseError, Store, write
from sync.blobs import BlobSource, FetchedBlobs
from sync.catalog_files import finish_catalog, install, is_damage, new_catalog, roomy_writes, set_aside
from sync.changes import Movement, Touched, apply_segment
from sync.channels import SyncCursor, root_of, store_facts, store_sync_cursor, sync_cursors
from sync.errors import Gap, Malformed, Rejected, SyncError, Untrusted, WrongRoot
from sync.hashing import Hashing
from sync.heads import ChannelHead, Track, decode_head
from sync.roots import RootState
from sync.segments import Segment, decode_part, decode_segment
from sync.snapshots import Manifest, decode_manifest, load_part
from sync.ways import after_snapshot, find_way, index_of

WHOLE_REFRESH_ROWS = 30_000
"""From so many changed rows on, finding every winner again is faster than finding the touched ones."""

Progress = Callable[[str, int, int], None]


class Source(BlobSource, Protocol):
    """Where heads and blobs come from: the network, a stick, a neighbour or HQ's own directory."""

    @property
    def received(self) -> int:
        """Bytes that came in so far."""

    @property
    def era(self) -> str:
        """What names the keys that vouch for heads now; publications of two eras do not compare."""

    def head(self, market: str, ring: str) -> bytes:
        """Return the verified head of a ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What one look at the head led to. Bytes are what came over the network; `apply_ms` is what applying segments took."""

    before: int
    publication: int
    published_at: str
    track: str = ""
    fetches: int = 0
    segments: int = 0
    parts: int = 0
    rows: int = 0
    bytes: int = 0
    apply_ms: int | None = None
    touched: Touched | None = None
    movement: Movement | None = None
    is_stale: bool = False
    """Whether the head offered was older than what is held, and was left aside."""
    has_moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a kiosk follows: the track of its ring in its market, and which of a trial's corners it is."""

    market: str
    ring: str = "stable"
    corner_id: str = ""

    @classmethod
    def by(cls, corner: Corner) -> Wanted:
        """Return what the kiosk of a corner follows."""
        return cls(market=corner.market, ring=corner.ring, corner_id=corner.corner_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Applied:
    rows: int
    segments: int = 0
    parts: int = 0
    apply_ms: int | None = None
    touched: Touched | None = None
    movement: Movement | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    publication: int
    track: str
    era: str
    cursors: dict[str, SyncCursor]


def follow(
    catalog: Store,
    source: Source,
    wanted: Wanted,
    *,
    now: datetime,
    progress: Progress | None = None,
    rebuild: bool = False,
    keep_blobs: bool = False,
) -> Moved:
    """Bring `catalog` to the head of what is `wanted`; `rebuild` fetches a snapshot whatever is held.

    One at a time may call this for a file (`sync.corner.rounds`). A damaged file is kept as `catalog.db.damaged` and replaced.
    A blob that is nowhere any more leads to the head once more, and if the head still names it, to a snapshot.
    Raises: WrongRoot, Untrusted, Malformed, TooLarge, Offline, Rejected; the catalogue then stands where it stood.
    """
    attempt = partial(_follow, catalog, source, wanted, now=now, progress=progress, rebuild=rebuild, keep_blobs=keep_blobs)
    try:
        return attempt(is_second=False)
    except Rejected as problem:
        if "blob" not in problem.data:
            raise
    # HQ swept it after we read the head, or a cache remembers a time before it was there.
    return attempt(is_second=True)


def _follow(
    catalog: Store,
    source: Source,
    wanted: Wanted,
    *,
    now: datetime,
    progress: Progress | None,
    rebuild: bool,
    keep_blobs: bool,
    is_second: bool,
) -> Moved:
    received = source.received
    head = decode_head(source.head(wanted.market, wanted.ring))
    if (head.market, head.ring) != (wanted.market, wanted.ring):
        raise Untrusted(f"the head of {head.market} {head.ring} was served for {wanted.market} {wanted.ring}")
    track = head.track_for(wanted.corner_id)
    _upgrade(catalog, now=now)
    held = _held(catalog, wanted.market)
    seen = Moved(
        before=held.publication if held else 0,
        publication=track.publication,
        published_at=track.published_at,
        track=track.name,
    )
    blobs = FetchedBlobs(catalog.path.with_name("blobs"), source)
    if held is not None and not rebuild:
        if _is_older(track, held, source.era):
            return replace(seen, is_stale=True)
        if track.publication == held.publication and _is_level(track, held):
            if keep_blobs:
                _lay_in(track, blobs)
            return seen
    facts = facts_of(track, wanted.market, era=source.era)
    try:
        start = None if rebuild else held
        applied = _apply(catalog, track, start, blobs, facts, now=now, progress=progress, is_second=is_second)
    except (WrongRoot, Gap, Malformed) as problem:
        problem.data.update(line=track.name, publication=track.publication)
        raise
    if keep_blobs:
        _lay_in(track, blobs)
    else:
        blobs.clear()
    return replace(
        seen,
        fetches=blobs.fetches,
        segments=applied.segments,
        parts=applied.parts,
        rows=applied.rows,
        bytes=source.received - received,
        apply_ms=applied.apply_ms,
        touched=applied.touched,
        movement=applied.movement,
        has_moved=True,
    )


def _lay_in(track: Track, blobs: FetchedBlobs) -> None:
    """Fetch what leads anybody to this track and is not here yet, for neighbours; what fails waits for the next round."""
    name = f"{track.name} {track.publication}"
    if blobs.holds_all_of(name):
        return
    with suppress(SyncError):
        named: set[str] = set()
        for channel, there in track.channels.items():
            index = index_of(channel, there, blobs.read)
            refs = {there.index, *index.blobs(), *decode_manifest(blobs.read(index.snapshot.manifest)).parts}
            for ref in refs:
                blobs.path(ref)
            named |= {ref.sha256 for ref in refs}
        blobs.clear(keep=named)
        blobs.note_all_of(name)


def _apply(
    catalog: Store,
    track: Track,
    held: _Held | None,
    blobs: FetchedBlobs,
    facts: dict[str, str],
    *,
    now: datetime,
    progress: Progress | None,
    is_second: bool,
) -> _Applied:
    try:
        return _by_segments(catalog, track, held, blobs, facts, now=now)
    except (Gap, WrongRoot, Malformed, Rejected, DatabaseError) as problem:
        # Whatever is wrong with our rows or with a segment, a snapshot does not depend on it.
        if isinstance(problem, DatabaseError) and not is_damage(problem):
            raise
        if isinstance(problem, Rejected) and not ("blob" in problem.data and is_second):
            raise
        if isinstance(problem, DatabaseError):
            set_aside(catalog)
        return _by_snapshot(catalog, track, blobs, facts, now=now, progress=progress)


def _upgrade(catalog: Store, *, now: datetime) -> None:
    try:
        upgrade_catalog(catalog.path, now=now)
    except DatabaseError as problem:
        if not is_damage(problem):
            raise
        set_aside(catalog)


def _held(catalog: Store, market: str) -> _Held | None:
    """Return what the catalogue stands at; None when there is none, or it was damaged and set aside."""
    if not catalog.path.exists():
        return None
    try:
        database = catalog.read()
        cursors = sync_cursors(database)
        facts = dict(database.execute("select name, value from catalog_fact").fetchall())
        # The numbers of two markets do not compare: a corner that moved starts from nothing.
        is_ours = facts.get("market") == market and len(cursors) == len(CHANNELS)
        return _Held(publication(database), facts.get("line", ""), facts.get("era", ""), cursors) if is_ours else None
    except DatabaseError as problem:
        if not is_damage(problem):
            raise
        set_aside(catalog)
        return None


def _is_older(track: Track, held: _Held, era: str) -> bool:
    """Tell whether a head goes back. Another track has its own numbers, and so has HQ under other keys than before."""
    return (track.name, era) == (held.track, held.era) and track.publication < held.publication


def _is_level(track: Track, held: _Held) -> bool:
    return all(
        (held.cursors[name].epoch, held.cursors[name].version, held.cursors[name].root)
        == (there.epoch, there.version, there.root)
        for name, there in track.channels.items()
    )


def _by_segments(
    catalog: Store, track: Track, held: _Held | None, blobs: FetchedBlobs, facts: dict[str, str], *, now: datetime
) -> _Applied:
    if held is None:
        raise Gap("there is no catalogue yet")
    ways = {name: find_way(name, there, held.cursors[name], blobs.read) for name, there in track.channels.items()}
    read = {name: [blobs.read(ref) for ref in each.blobs] for name, each in ways.items()}
    started = time.perf_counter()
    touched: Touched = {}
    movement = Movement()
    with roomy_writes(catalog):
        with catalog.write() as database:
            for name, there in track.channels.items():
                here = sync_cursors(database)[name]
                state = here.state.copy()
                for blob, goal in zip(read[name], ways[name].goals, strict=True):
                    _apply_one(database, name, goal, decode_segment(blob), state, touched, movement)
                _must_be(name, there, state)
                if (here.epoch, here.version) != (there.epoch, there.version):
                    store_sync_cursor(database, name, epoch=there.epoch, version=there.version, state=state, now=now)
            rows = sum(len(touched.get(table.name, ())) for table in TABLES)
            if movement.changed:
                facts["jumps"] = json.dumps(_jumps(database, facts, movement))
            refresh(database, touched if rows < WHOLE_REFRESH_ROWS else None, now=now)
            store_facts(database, facts)
        apply_ms = round((time.perf_counter() - started) * 1000)
    segments = sum(len(each.blobs) for each in ways.values())
    return _Applied(rows=rows, segments=segments, apply_ms=apply_ms, touched=touched, movement=movement)


def _jumps(database: Database, facts: dict[str, str], movement: Movement) -> dict[str, Any]:
    """Return what HQ is told of the prices that moved last: a trial is judged by it.

    On a trial's track they add up: an urgent price that passes the trial must not hide what jumped before it.
    """
    track, changed, jumped = facts["line"], movement.changed, movement.jumped
    held = database.execute("select value from catalog_fact where name = 'jumps'").fetchone()
    before = json.loads(held[0]) if held else None
    if track and before is not None and before["line"] == track:
        changed, jumped = changed + before["changed"], jumped + before["jumped"]
    return {"line": track, "publication": int(facts["publication"]), "changed": changed, "jumped": jumped}


def _apply_one(
    database: Database, name: str, goal: int, segment: Segment, state: RootState, touched: Touched, movement: Movement
) -> None:
    if (segment.channel, segment.last) != (name, goal):
        raise Malformed(f"the index names another segment than {segment.channel} {segment.first}-{segment.last}")
    apply_segment(database, segment, state, touched, movement)
    if root_of(name, state) != segment.post_root:
        raise WrongRoot(f"{name} does not add up after version {segment.last}", channel=name)


def _must_be(name: str, there: ChannelHead, state: RootState) -> None:
    if root_of(name, state) != there.root:
        raise WrongRoot(f"{name} does not add up to the head's root", channel=name)


def _by_snapshot(
    catalog: Store, track: Track, blobs: FetchedBlobs, facts: dict[str, str], *, now: datetime, progress: Progress | None
) -> _Applied:
    indexes = {name: index_of(name, there, blobs.read) for name, there in track.channels.items()}
    manifests = {name: decode_manifest(blobs.read(index.snapshot.manifest)) for name, index in indexes.items()}
    ways = {name: after_snapshot(name, indexes[name], there) for name, there in track.channels.items()}
    hashing = Hashing()
    aside = catalog.path.with_name(f"{catalog.path.name}.new")
    try:
        paths = _fetch(manifests, blobs, hashing, progress)
        segments = {name: [decode_segment(blobs.read(ref)) for ref in each.blobs] for name, each in ways.items()}
        database = new_catalog(aside)
        try:
            rows = _load(database, paths, progress)
            with write(database):
                deltas = {name: RootState() for name in CHANNELS}
                for name, some in segments.items():
                    for segment in some:
                        apply_segment(database, segment, deltas[name], {})
                refresh(database, None, now=now)
                states = hashing.states()
                for name, there in track.channels.items():
                    state = states.get(name, RootState())
                    state.merge(deltas[name])
                    _must_be(name, there, state)
                    store_sync_cursor(database, name, epoch=there.epoch, version=there.version, state=state, now=now)
                store_facts(database, facts)
            finish_catalog(database)
        finally:
            database.close()
        install(catalog, aside)
    finally:
        hashing.stop()
        aside.unlink(missing_ok=True)
    return _Applied(rows=rows, segments=sum(map(len, segments.values())), parts=len(paths))


def _fetch(manifests: dict[str, Manifest], blobs: FetchedBlobs, hashing: Hashing, progress: Progress | None) -> list[Path]:
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


def facts_of(track: Track, market: str, *, era: str) -> dict[str, str]:
    """Return what a catalogue keeps of the publication it stands at; HQ's own replicas know no `era`."""
    about = {"line": track.name, "publication": str(track.publication), "published_at": track.published_at}
    return {**track.facts, **about, "market": market, "era": era}
