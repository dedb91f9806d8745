"""How a catalogue gets to where HQ's head says: by segments inside one transaction, or by a snapshot built in a file aside.

Readers see the old catalogue or the new one, never a mixture, and nothing is committed or moved in place whose root is not the
head's. HQ brings its own replicas forward with the same code. Source: docs/protocol.md §4 and §5.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
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
"""Called with what is being done ("fetch" or "load"), how many parts are done, and how many there are."""


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
    """What one look at the head led to. `bytes` came over the network; `apply_ms` is what applying segments took.

    `before` is the publication held until then, 0 for none; `touched` names the keys segments changed, None after a snapshot.
    """

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
    is_stale: bool = False
    """Whether the head offered was older than what is held, and was left aside."""
    has_moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a kiosk follows: its market and ring, and the corner that a trial's draw is by."""

    market: str
    ring: str = "stable"
    corner_id: str = ""

    @classmethod
    def of(cls, corner: Corner) -> Subscription:
        """Return what the kiosk of a corner follows."""
        return cls(market=corner.market, ring=corner.ring, corner_id=corner.corner_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One attempt to bring a catalogue forward: the file, where blobs come from, and what the caller asked for."""

    catalog: Store
    source: Source
    now: datetime
    progress: Progress
    rebuild: bool
    keep_blobs: bool
    is_second: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Goal:
    """Where the catalogue goes: a track's publication, its blobs, and the facts to keep beside the rows."""

    track: Track
    blobs: FetchedBlobs
    facts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Applied:
    rows: int
    segments: int = 0
    parts: int = 0
    apply_ms: int | None = None
    touched: Touched | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """Where a catalogue stands: its publication and track under an era of keys, and each channel's `sync_cursor`."""

    publication: int
    track: str
    era: str
    cursors: dict[str, SyncCursor]


def follow(
    catalog: Store,
    source: Source,
    subscription: Subscription,
    *,
    now: datetime,
    progress: Progress | None = None,
    rebuild: bool = False,
    keep_blobs: bool = False,
) -> Moved:
    """Bring `catalog` to the head of what is subscribed; `rebuild` fetches a snapshot whatever is held.

    `keep_blobs` keeps every blob the head names, for neighbours to fetch; otherwise blobs go once they are applied.
    One at a time may call this for a file (`sync.corner.rounds`). A damaged file is kept as `catalog.db.damaged` and replaced.
    Raises: WrongRoot, Untrusted, Malformed, TooLarge, Offline, Rejected; the catalogue then stands where it stood.
    """
    show = progress or (lambda *_: None)
    attempt = _Attempt(catalog=catalog, source=source, now=now, progress=show, rebuild=rebuild, keep_blobs=keep_blobs)
    try:
        return _follow(attempt, subscription)
    except Rejected as problem:
        if "blob" not in problem.data:
            raise
    # HQ swept the blob after we read the head, or a cache remembers a time before it was there: look at the head once more.
    return _follow(replace(attempt, is_second=True), subscription)


def facts_of(track: Track, market: str, *, era: str) -> dict[str, str]:
    """Return what a catalogue keeps of the publication it stands at; HQ's own replicas know no `era`."""
    about = {"line": track.name, "publication": str(track.publication), "published_at": track.published_at}
    return {**track.facts, **about, "market": market, "era": era}


def _follow(attempt: _Attempt, subscription: Subscription) -> Moved:
    source, catalog, market = attempt.source, attempt.catalog, subscription.market
    received = source.received
    head = decode_head(source.head(market, subscription.ring))
    if (head.market, head.ring) != (market, subscription.ring):
        raise Untrusted(f"the head of {head.market} {head.ring} was served for {market} {subscription.ring}")
    track = head.track_for(subscription.corner_id)
    _upgrade(catalog, now=attempt.now)
    held = _held(catalog, market)
    moved = Moved(
        before=held.publication if held else 0,
        publication=track.publication,
        published_at=track.published_at,
        track=track.name,
    )
    blobs = FetchedBlobs(catalog.path.with_name("blobs"), source)
    if held is not None and not attempt.rebuild:
        if _is_older(track, held, source.era):
            return replace(moved, is_stale=True)
        if track.publication == held.publication and _is_level(track, held):
            if attempt.keep_blobs:
                _mirror_blobs(track, blobs)
            return moved
    goal = _Goal(track=track, blobs=blobs, facts=facts_of(track, market, era=source.era))
    try:
        applied = _apply(attempt, goal, None if attempt.rebuild else held)
    except (WrongRoot, Gap, Malformed) as problem:
        # HQ halts a trial by what its corners could not take in: the heartbeat names the publication.
        problem.data.update(line=track.name, publication=track.publication)
        raise
    if attempt.keep_blobs:
        _mirror_blobs(track, blobs)
    else:
        blobs.clear()
    return replace(
        moved,
        fetches=blobs.fetches,
        segments=applied.segments,
        parts=applied.parts,
        rows=applied.rows,
        bytes=source.received - received,
        apply_ms=applied.apply_ms,
        touched=applied.touched,
        has_moved=True,
    )


def _mirror_blobs(track: Track, blobs: FetchedBlobs) -> None:
    """Fetch every blob this head names, for neighbours; what fails waits for the next round."""
    name = f"{track.name} {track.publication}"
    if blobs.holds_all_of(name):
        return
    with suppress(SyncError):
        named: set[str] = set()
        for channel, head in track.channels.items():
            index = index_of(channel, head, blobs.read)
            refs = {head.index, *index.blobs(), *decode_manifest(blobs.read(index.snapshot.manifest)).parts}
            for ref in refs:
                blobs.path(ref)
            named |= {ref.sha256 for ref in refs}
        blobs.clear(keep=named)
        blobs.note_all_of(name)


def _apply(attempt: _Attempt, goal: _Goal, held: _Held | None) -> _Applied:
    """Get to the goal by segments, or by a snapshot where they do not lead there or something held is wrong."""
    try:
        return _by_segments(attempt, goal, held)
    except (Gap, WrongRoot, Malformed, Rejected, DatabaseError) as problem:
        # Whatever is wrong with our rows or with a segment, a snapshot does not depend on it.
        if isinstance(problem, DatabaseError) and not is_damage(problem):
            raise
        if isinstance(problem, Rejected) and not ("blob" in problem.data and attempt.is_second):
            raise
        if isinstance(problem, DatabaseError):
            set_aside(attempt.catalog)
        return _by_snapshot(attempt, goal)


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
        (held.cursors[name].epoch, held.cursors[name].version, held.cursors[name].root) == (head.epoch, head.version, head.root)
        for name, head in track.channels.items()
    )


def _by_segments(attempt: _Attempt, goal: _Goal, held: _Held | None) -> _Applied:
    if held is None:
        raise Gap("there is no catalogue yet")
    channels, read = goal.track.channels, goal.blobs.read
    ways = {name: find_way(name, head, held.cursors[name], read) for name, head in channels.items()}
    # Every blob is here before the transaction begins: the writer never waits for the network.
    fetched = {name: [read(ref) for ref in way.blobs] for name, way in ways.items()}
    started = time.perf_counter()
    touched: Touched = {}
    movement = Movement()
    with roomy_writes(attempt.catalog):
        with attempt.catalog.write() as database:
            for name, head in channels.items():
                cursor = sync_cursors(database)[name]
                state = cursor.state.copy()
                for blob, version in zip(fetched[name], ways[name].goals, strict=True):
                    _apply_one(database, name, version, decode_segment(blob), state, touched, movement)
                _must_be(name, head, state)
                if (cursor.epoch, cursor.version) != (head.epoch, head.version):
                    store_sync_cursor(database, name, epoch=head.epoch, version=head.version, state=state, now=attempt.now)
            rows = sum(len(touched.get(table.name, ())) for table in TABLES)
            if movement.changed:
                goal.facts["jumps"] = json.dumps(_jumps(database, goal.facts, movement))
            refresh(database, touched if rows < WHOLE_REFRESH_ROWS else None, now=attempt.now)
            store_facts(database, goal.facts)
        apply_ms = round((time.perf_counter() - started) * 1000)
    segments = sum(len(way.blobs) for way in ways.values())
    return _Applied(rows=rows, segments=segments, apply_ms=apply_ms, touched=touched)


def _jumps(database: Database, facts: dict[str, str], movement: Movement) -> dict[str, Any]:
    """Return what HQ is told of the prices that moved last: a trial is judged by it.

    On a trial's track they add up: an urgent price that passes the trial must not hide what jumped before it.
    """
    track, changed, jumped = facts["line"], movement.changed, movement.jumped
    stored = database.execute("select value from catalog_fact where name = 'jumps'").fetchone()
    before = json.loads(stored[0]) if stored else None
    if track and before is not None and before["line"] == track:
        changed, jumped = changed + before["changed"], jumped + before["jumped"]
    return {"line": track, "publication": int(facts["publication"]), "changed": changed, "jumped": jumped}


def _apply_one(
    database: Database, name: str, version: int, segment: Segment, state: RootState, touched: Touched, movement: Movement
) -> None:
    if (segment.channel, segment.last) != (name, version):
        raise Malformed(f"the index names another segment than {segment.channel} {segment.first}-{segment.last}")
    apply_segment(database, segment, state, touched, movement)
    if root_of(name, state) != segment.post_root:
        raise WrongRoot(f"{name} does not add up after version {segment.last}", channel=name)


def _must_be(name: str, head: ChannelHead, state: RootState) -> None:
    if root_of(name, state) != head.root:
        raise WrongRoot(f"{name} does not add up to the head's root", channel=name)


def _by_snapshot(attempt: _Attempt, goal: _Goal) -> _Applied:
    catalog, now, channels, read = attempt.catalog, attempt.now, goal.track.channels, goal.blobs.read
    indexes = {name: index_of(name, head, read) for name, head in channels.items()}
    manifests = {name: decode_manifest(read(index.snapshot.manifest)) for name, index in indexes.items()}
    ways = {name: after_snapshot(name, indexes[name], head) for name, head in channels.items()}
    # The machine's second core sums the parts while this one inserts them.
    hashing = Hashing()
    aside = catalog.path.with_name(f"{catalog.path.name}.new")
    try:
        paths = _fetch(attempt, goal, manifests, hashing)
        segments = {name: [decode_segment(read(ref)) for ref in way.blobs] for name, way in ways.items()}
        database = new_catalog(aside)
        try:
            rows = _load(attempt, database, paths)
            with write(database):
                deltas = {name: RootState() for name in CHANNELS}
                for name, later in segments.items():
                    for segment in later:
                        apply_segment(database, segment, deltas[name], {})
                refresh(database, None, now=now)
                states = hashing.states()
                for name, head in channels.items():
                    state = states.get(name, RootState())
                    state.merge(deltas[name])
                    _must_be(name, head, state)
                    store_sync_cursor(database, name, epoch=head.epoch, version=head.version, state=state, now=now)
                store_facts(database, goal.facts)
            finish_catalog(database)
        finally:
            database.close()
        install(catalog, aside)
    finally:
        hashing.stop()
        aside.unlink(missing_ok=True)
    return _Applied(rows=rows, segments=sum(map(len, segments.values())), parts=len(paths))


def _fetch(attempt: _Attempt, goal: _Goal, manifests: dict[str, Manifest], hashing: Hashing) -> list[Path]:
    refs = [ref for manifest in manifests.values() for ref in manifest.parts]
    paths = []
    for done, ref in enumerate(refs):
        attempt.progress("fetch", done, len(refs))
        paths.append(goal.blobs.path(ref))
        hashing.feed(paths[-1])
    return paths


def _load(attempt: _Attempt, database: Database, paths: list[Path]) -> int:
    rows = 0
    with write(database):
        for done, path in enumerate(paths):
            attempt.progress("load", done, len(paths))
            rows += load_part(database, decode_part(path.read_bytes()))
    create_indexes(database)
    return rows
