"""A draft: the next publication of one track, made in the open transaction of that track's replica.

Rows change in the replica and become segments; indexes and heads of channels follow. Nothing here is visible to anybody until the
publisher records and announces it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from pos import clock
from pos.catalog import Table
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
SNAPSHOT_AGE_S = 7 * 86_400
SMALL_WAY_BYTES = 65_536
"""A way of this weight is no reason for a snapshot, unless that is hardly larger."""
JOIN_KEPT_S = 30 * 86_400

Differences = Mapping[str, tuple[dict[Value, Row], list[Row]]]
"""By table: the stored rows that go or change, and the rows that come in their place or anew."""


@dataclass(slots=True)
class Draft:
    """The next publication of a track. `channels` are its heads as they become; `touched` and `movement` say what moved."""

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

    def change(self, channel: str, differences: Differences) -> None:
        """Bring a channel's rows forward and write the segment that does the same on a kiosk."""
        there = self.channels[channel]
        state = sync_cursors(self.database)[channel].state.copy()
        changes = self._replace(channel, differences, state)
        if not changes:
            return
        version, root = there.version + 1, root_of(channel, state)
        store_sync_cursor(self.database, channel, epoch=there.epoch, version=version, state=state, now=self.now)
        index = self.index(channel)
        segment = Segment(
            channel=channel, first=version, last=version, pre_root=there.root, post_root=root, tables=tuple(changes)
        )
        segments = index.segments
        if segment.rows <= MAX_SEGMENT_ROWS:
            segments += (self._segment_ref(segment),)
        segments = compact(segments, now_s=self._now_s(), load=self._load, store=self.blobs.store)
        snapshot = index.snapshot
        if _is_worn(snapshot, segments, version, self._now_s()):
            snapshot = store_snapshot(self.database, channel, version=version, rows=state.rows, blobs=self.blobs, now=self.now)
        after = replace(there, version=version, root=root, rows=state.rows)
        self.channels[channel] = self._announced(after, replace(index, segments=segments, snapshot=snapshot))

    def mirror(self, channel: str, differences: Differences, there: ChannelHead) -> None:
        """Bring the rows of a channel shared with another track forward, to where that track has just gone."""
        state = sync_cursors(self.database)[channel].state.copy()
        self._replace(channel, differences, state)
        if root_of(channel, state) != there.root:
            raise SyncError(f"the replica of {self.track.name} no longer shares {channel}")
        store_sync_cursor(self.database, channel, epoch=there.epoch, version=there.version, state=state, now=self.now)

    def fork(self, channel: str, there: ChannelHead) -> None:
        """Give a channel a log of its own, which leads on from where `there` stands and knows the way to there."""
        index = decode_index(self.blobs.read(there.index))
        epoch = str(uuid.uuid4())
        state = sync_cursors(self.database)[channel].state
        store_sync_cursor(self.database, channel, epoch=epoch, version=there.version, state=state, now=self.now)
        forked = replace(there, epoch=epoch)
        self.channels[channel] = self._announced(forked, replace(index, epoch=epoch, joins=()))

    def join(self, channel: str, origin: ChannelHead, keys: Mapping[str, Iterable[Value]], *, since: int) -> None:
        """Lead kiosks of another log here: from its versions `since` to `origin`'s by the rows of `keys` as they are here."""
        there = self.channels[channel]
        index = self.index(channel)
        tables = tuple(_put(self.database, table, keys[table.name]) for table in tables_of(channel) if keys.get(table.name))
        pre_root = next((ref.pre_root for ref in index.segments if ref.first == since + 1), there.root)
        segment = Segment(
            channel=channel, first=since + 1, last=there.version, pre_root=pre_root, post_root=there.root, tables=tables
        )
        joins = [ref for ref in index.joins if ref.epoch != origin.epoch and ref.at > self._now_s() - JOIN_KEPT_S]
        if segment.rows <= MAX_JOIN_ROWS:
            blob = self.blobs.store(encode_segment(segment))
            joins.append(
                JoinRef(
                    epoch=origin.epoch,
                    first=since + 1,
                    last=origin.version,
                    lands=there.version,
                    at=self._now_s(),
                    rows=segment.rows,
                    blob=blob,
                )
            )
        self.channels[channel] = self._announced(there, replace(index, joins=tuple(joins)))

    def keys_since(self, channel: str, version: int) -> dict[str, set[Value]] | None:
        """Return the keys a channel's log touched after `version`; None when its segments no longer tell."""
        there = self.channels[channel]
        chain = chain_of(self.index(channel).segments, version, there.version)
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

    def _replace(self, channel: str, differences: Differences, state: RootState) -> list[TableChange]:
        changes: list[TableChange] = []
        for table in tables_of(channel):
            before, rows = differences.get(table.name, ({}, []))
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

    def _announced(self, there: ChannelHead, index: Index) -> ChannelHead:
        newest = sorted((ref for ref in index.segments if ref.first == ref.last), key=lambda ref: ref.last)[-TAIL:]
        return replace(there, index=self.blobs.store(encode_index(index)), tail=tuple(newest))

    def _load(self, blob: BlobRef) -> Segment:
        return decode_segment(self.blobs.read(blob))

    def _now_s(self) -> int:
        return int(self.now.timestamp())


def join_tracks(draft: Draft, trial_draft: Draft, forks: Mapping[str, int]) -> None:
    """Lead kiosks from each track into the other, wherever they are since the fork: shares move and trials end."""
    for channel, since in forks.items():
        ours, theirs = draft.keys_since(channel, since), trial_draft.keys_since(channel, since)
        if ours is None or theirs is None:
            continue
        keys = {table.name: ours.get(table.name, set()) | theirs.get(table.name, set()) for table in tables_of(channel)}
        base, fork = draft.channels[channel], trial_draft.channels[channel]
        draft.join(channel, fork, keys, since=since)
        trial_draft.join(channel, base, keys, since=since)


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


def differences_to(database: Database, table: Table, wanted: Mapping[Value, Row | None]) -> tuple[dict[Value, Row], list[Row]]:
    """Return how a table's stored rows get to what is `wanted` of some keys; None stands for no row."""
    stored = stored_rows(database, table, list(wanted))
    before = {key: row for key, row in stored.items() if wanted[key] != row}
    return before, [row for key, row in wanted.items() if row is not None and stored.get(key) != row]


def by_channel(differences: Differences, channels: Iterable[str]) -> dict[str, Differences]:
    """Return differences apart for each channel that has any."""
    parts: dict[str, Differences] = {}
    for channel in channels:
        some = {table.name: differences[table.name] for table in tables_of(channel) if table.name in differences}
        if any(before or rows for before, rows in some.values()):
            parts[channel] = some
    return parts


def _put(database: Database, table: Table, keys: Iterable[Value]) -> TableChange:
    """Return the change that brings `keys` to their rows here, whatever they are elsewhere."""
    every = sorted(keys, key=_key)
    stored = stored_rows(database, table, every)
    gone = [key for key in every if key not in stored]
    rows: Sequence[Row] = [stored[key] for key in every if key in stored]
    return TableChange(
        table.name,
        deleted=Block(table.columns[:1], [gone]) if gone else None,
        put=Block(table.columns, [list(column) for column in zip(*rows, strict=True)]) if rows else None,
    )


def _is_worn(snapshot: SnapshotRef, segments: tuple[SegmentRef, ...], version: int, now_s: int) -> bool:
    """Tell whether a fresh snapshot is due: no way leads on, the way weighs too much beside it, or a week went by.

    Changing rows takes a kiosk far longer than loading them: who comes back late should find few changes after the snapshot.
    """
    chain = chain_of(segments, snapshot.version, version)
    if chain is None:
        return True
    most = min(snapshot.length // 2, snapshot.length // 8 + SMALL_WAY_BYTES)
    return sum(ref.blob.length for ref in chain) > most or now_s - snapshot.at > SNAPSHOT_AGE_S


def _key(value: Value) -> Any:
    return value
