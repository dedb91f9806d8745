"""A draft: the next publication of one track, made in the open transaction of that track's replica.

Rows change in the replica and become segments; indexes and heads of channels follow. No kiosk sees any of it until the publisher
commits and announces it. Formats: docs/protocol.md §4 (segments) and §5 (indexes, joins, snapshots).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlite_utils import Database

from pos import clock
from pos.catalog import CHANNELS, TABLES, Table
from sync.blobs import BlobFolder, BlobRef
from sync.changes import Movement, Touched, change_of, replace_rows, stored_rows
from sync.channels import root_of, store_sync_cursor, sync_cursors, tables_of
from sync.errors import SyncError
from sync.heads import ChannelHead, Track
from sync.hq.levels import compact, keys_of
from sync.indexes import Index, JoinRef, SegmentRef, SnapshotRef, decode_index, encode_index
from sync.roots import RootState, Row, Value
from sync.segments import Block, Segment, TableChange, decode_segment, encode_segment
from sync.snapshots import encode_manifest, write_snapshot
from sync.ways import chain_of

MAX_SEGMENT_ROWS = 200_000
MAX_JOIN_ROWS = 100_000
TAIL = 2
"""How many of the newest segments a head names itself: a kiosk that polls then needs no index."""
SNAPSHOT_AGE_S = 7 * 86_400
SMALL_CHAIN_BYTES = 65_536
"""A chain of segments of this weight calls for no fresh snapshot, unless the snapshot is hardly larger."""
JOIN_KEPT_S = 30 * 86_400


class Difference(NamedTuple):
    """How the rows of a table change: stored rows that go or change, by key; and rows that come in their place or anew."""

    before: dict[Value, Row]
    rows: list[Row]


Differences = Mapping[str, Difference]
"""By table."""
UNCHANGED = Difference({}, [])


@dataclass(slots=True)
class Draft:
    """The next publication of a track. `channels` are their heads as they become; `touched` and `movement` say what changed."""

    track: Track
    database: Database
    blobs: BlobFolder
    now: datetime
    channels: dict[str, ChannelHead]
    touched: Touched
    movement: Movement

    @classmethod
    def of(cls, track: Track, database: Database, blobs: BlobFolder, now: datetime) -> Draft:
        """Begin a draft on what a track published last."""
        return cls(track, database, blobs, now, dict(track.channels), {}, Movement())

    def change(self, differences: Differences) -> None:
        """Bring every channel that differs forward by one version, with the segment that does the same on a kiosk."""
        for channel, part in by_channel(differences).items():
            self._change_channel(channel, part)

    def follow(self, differences: Differences, base: Draft, *, forks: Collection[str]) -> None:
        """Bring a trial's rows forward: channels of `forks` in logs of their own, the others to where `base` has just gone.

        Raises: SyncError when a channel that did not fork no longer has the rows of `base`.
        """
        for channel, part in by_channel(differences).items():
            if channel in forks:
                self._change_channel(channel, part)
            else:
                self._mirror(channel, part, base.channels[channel])
        # A channel the trial leaves alone costs its corners nothing of their own: same log, same blobs.
        self.channels.update({name: base.channels[name] for name in CHANNELS if name not in forks})

    def fork(self, channel: str, head: ChannelHead) -> None:
        """Start a new epoch of a channel at `head`'s version, keeping the segments that lead there."""
        index = decode_index(self.blobs.read(head.index))
        epoch = str(uuid.uuid4())
        state = sync_cursors(self.database)[channel].state
        store_sync_cursor(self.database, channel, epoch=epoch, version=head.version, state=state, now=self.now)
        # Joins led into the old log at versions that this one may not have.
        self.channels[channel] = self._announced(replace(head, epoch=epoch), replace(index, epoch=epoch, joins=()))

    def join(self, channel: str, origin: ChannelHead, keys: Mapping[str, Iterable[Value]], *, since: int) -> None:
        """Add a join from another log, whose head is `origin`: from its versions `since` and later to this draft's.

        `keys` by table are the rows that may differ between the two; the join's blob holds them as they are here.
        """
        head = self.channels[channel]
        index = self.index(channel)
        tables = tuple(_put(self.database, table, keys[table.name]) for table in tables_of(channel) if keys.get(table.name))
        pre_root = next((ref.pre_root for ref in index.segments if ref.first == since + 1), head.root)
        segment = Segment(
            channel=channel, first=since + 1, last=head.version, pre_root=pre_root, post_root=head.root, tables=tables
        )
        joins = [ref for ref in index.joins if ref.epoch != origin.epoch and ref.at > self._now_s() - JOIN_KEPT_S]
        # Without a join a kiosk takes the snapshot, which is the shorter way from so many rows on.
        if segment.rows <= MAX_JOIN_ROWS:
            blob = self.blobs.store(encode_segment(segment))
            joins.append(
                JoinRef(
                    epoch=origin.epoch,
                    first=since + 1,
                    last=origin.version,
                    lands=head.version,
                    at=self._now_s(),
                    rows=segment.rows,
                    blob=blob,
                )
            )
        self.channels[channel] = self._announced(head, replace(index, joins=tuple(joins)))

    def keys_since(self, channel: str, version: int) -> dict[str, set[Value]] | None:
        """Return the keys that a channel's log touched after `version`, by table; None when its segments no longer tell."""
        chain = chain_of(self.index(channel).segments, version, self.channels[channel].version)
        return keys_of(self._load(ref.blob) for ref in chain) if chain is not None else None

    def index(self, channel: str) -> Index:
        """Return the channel's index as it stands in the draft."""
        return decode_index(self.blobs.read(self.channels[channel].index))

    def publication(self, number: int, facts: Mapping[str, str], *, only: Iterable[str] | None = None) -> Track:
        """Return the draft as publication `number`, of all channels or `only` some."""
        names = self.channels.keys() if only is None else set(only)
        return Track(
            name=self.track.name,
            publication=number,
            published_at=clock.to_text(self.now),
            facts=facts,
            channels={name: channel for name, channel in self.channels.items() if name in names},
        )

    def _change_channel(self, channel: str, differences: Differences) -> None:
        head = self.channels[channel]
        state = sync_cursors(self.database)[channel].state.copy()
        changes = self._replace(channel, differences, state)
        if not changes:
            return
        version, root = head.version + 1, root_of(channel, state)
        store_sync_cursor(self.database, channel, epoch=head.epoch, version=version, state=state, now=self.now)
        index = self.index(channel)
        segment = Segment(channel=channel, first=version, last=version, pre_root=head.root, post_root=root, tables=tuple(changes))
        segments = index.segments
        # A segment too large for a kiosk's memory is left out: no chain then leads on, and a fresh snapshot is due.
        if segment.rows <= MAX_SEGMENT_ROWS:
            segments += (self._segment_ref(segment),)
        segments = compact(segments, now_s=self._now_s(), load=self._load, store=self.blobs.store)
        snapshot = index.snapshot
        if _needs_snapshot(snapshot, segments, version, self._now_s()):
            snapshot = store_snapshot(self.database, channel, version=version, rows=state.rows, blobs=self.blobs, now=self.now)
        after = replace(head, version=version, root=root, rows=state.rows)
        self.channels[channel] = self._announced(after, replace(index, segments=segments, snapshot=snapshot))

    def _mirror(self, channel: str, differences: Differences, head: ChannelHead) -> None:
        """Bring the rows of a channel that another track owns to that track's new head, without a log of our own."""
        state = sync_cursors(self.database)[channel].state.copy()
        self._replace(channel, differences, state)
        if root_of(channel, state) != head.root:
            raise SyncError(f"the replica of {self.track.name} no longer shares {channel}")
        store_sync_cursor(self.database, channel, epoch=head.epoch, version=head.version, state=state, now=self.now)

    def _replace(self, channel: str, differences: Differences, state: RootState) -> list[TableChange]:
        changes: list[TableChange] = []
        for table in tables_of(channel):
            before, rows = differences.get(table.name, UNCHANGED)
            change = change_of(table, before, rows)
            if change is not None:
                changes.append(change)
                self.movement.count(table, before, rows)
                replace_rows(self.database, table, state, before=before, rows=rows, touched=self.touched)
        return changes

    def _segment_ref(self, segment: Segment) -> SegmentRef:
        return SegmentRef(
            first=segment.first,
            last=segment.last,
            at=self._now_s(),
            rows=segment.rows,
            level=0,
            pre_root=segment.pre_root,
            blob=self.blobs.store(encode_segment(segment)),
        )

    def _announced(self, head: ChannelHead, index: Index) -> ChannelHead:
        """Store the index; return the head that names it and the newest segments."""
        newest = sorted((ref for ref in index.segments if ref.first == ref.last), key=lambda ref: ref.last)[-TAIL:]
        return replace(head, index=self.blobs.store(encode_index(index)), tail=tuple(newest))

    def _load(self, blob: BlobRef) -> Segment:
        return decode_segment(self.blobs.read(blob))

    def _now_s(self) -> int:
        return int(self.now.timestamp())


def join_tracks(draft: Draft, trial_draft: Draft, forks: Mapping[str, int]) -> None:
    """Add joins between the tracks, both ways, from any version since the fork: corners change tracks whenever shares do."""
    for channel, since in forks.items():
        keys = keys_since_fork(draft, trial_draft, channel, since=since)
        if keys is None:
            continue
        base, fork = draft.channels[channel], trial_draft.channels[channel]
        draft.join(channel, fork, keys, since=since)
        trial_draft.join(channel, base, keys, since=since)


def keys_since_fork(draft: Draft, trial_draft: Draft, channel: str, *, since: int) -> dict[str, set[Value]] | None:
    """Return the keys by table that either track touched since version `since`; None when its segments no longer tell."""
    own, theirs = draft.keys_since(channel, since), trial_draft.keys_since(channel, since)
    if own is None or theirs is None:
        return None
    return {table: own.get(table, set()) | theirs.get(table, set()) for table in own.keys() | theirs.keys()}


def begin_channel(
    database: Database, channel: str, state: RootState, *, version: int, blobs: BlobFolder, now: datetime
) -> ChannelHead:
    """Return the head of a log that begins at `version` with the rows of `database`, and store where it stands."""
    epoch = str(uuid.uuid4())
    store_sync_cursor(database, channel, epoch=epoch, version=version, state=state, now=now)
    snapshot = store_snapshot(database, channel, version=version, rows=state.rows, blobs=blobs, now=now)
    index = Index(channel=channel, epoch=epoch, snapshot=snapshot, segments=())
    return ChannelHead(
        epoch=epoch,
        version=version,
        root=root_of(channel, state),
        rows=state.rows,
        index=blobs.store(encode_index(index)),
        tail=(),
    )


def store_snapshot(database: Database, channel: str, *, version: int, rows: int, blobs: BlobFolder, now: datetime) -> SnapshotRef:
    """Write all rows of a channel as a snapshot. Raises: SyncError when they are not as many as were counted."""
    manifest = write_snapshot(database, channel, version=version, store=blobs.store)
    if manifest.rows != rows:
        raise SyncError(f"{channel} holds {manifest.rows} rows where {rows} were counted")
    return SnapshotRef(version, int(now.timestamp()), manifest.length, blobs.store(encode_manifest(manifest)))


def differences_to(database: Database, wanted: Mapping[str, Mapping[Value, Row | None]]) -> Differences:
    """Return how a catalogue gets to what is `wanted` of some keys, by table; None stands for no row."""
    differences: dict[str, Difference] = {}
    for table in TABLES:
        if table.name in wanted:
            goal = wanted[table.name]
            stored = stored_rows(database, table, list(goal))
            before = {key: row for key, row in stored.items() if goal[key] != row}
            rows = [row for key, row in goal.items() if row is not None and stored.get(key) != row]
            differences[table.name] = Difference(before, rows)
    return differences


def by_channel(differences: Differences) -> dict[str, Differences]:
    """Return differences apart for each channel that has any."""
    parts: dict[str, Differences] = {}
    for channel in CHANNELS:
        part = {table.name: differences[table.name] for table in tables_of(channel) if table.name in differences}
        if any(before or rows for before, rows in part.values()):
            parts[channel] = part
    return parts


def _put(database: Database, table: Table, keys: Iterable[Value]) -> TableChange:
    """Return the change that brings `keys` of any other catalogue to what they are in this one."""
    ordered = sorted(keys, key=_key)
    stored = stored_rows(database, table, ordered)
    gone = [key for key in ordered if key not in stored]
    rows: Sequence[Row] = [stored[key] for key in ordered if key in stored]
    return TableChange(
        table.name,
        deleted=Block(table.columns[:1], [gone]) if gone else None,
        put=Block(table.columns, [list(column) for column in zip(*rows, strict=True)]) if rows else None,
    )


def _needs_snapshot(snapshot: SnapshotRef, segments: tuple[SegmentRef, ...], version: int, now_s: int) -> bool:
    """Tell whether a fresh snapshot is due: no chain leads on from this one, the chain weighs too much, or a week went by.

    Changing a row takes a kiosk far longer than loading it, so few changes should follow a snapshot (docs/protocol.md §5).
    """
    chain = chain_of(segments, snapshot.version, version)
    if chain is None:
        return True
    most = min(snapshot.length // 2, snapshot.length // 8 + SMALL_CHAIN_BYTES)
    return sum(ref.blob.length for ref in chain) > most or now_s - snapshot.at > SNAPSHOT_AGE_S


def _key(value: Value) -> Any:
    return value
