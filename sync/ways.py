"""The way of one channel from where a kiosk stands to where its head says: the cheapest chain of blobs, or none.

A kiosk in another log than the head's gets in by an equal root, which costs nothing, or by a join; where neither leads, or a
snapshot is the shorter way, it is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from sync.blobs import BlobRef
from sync.channels import SyncCursor
from sync.errors import Gap, Malformed
from sync.heads import ChannelHead
from sync.indexes import Index, SegmentRef, decode_index

FETCH_BYTES = 4_000
"""What one more fetch is worth in bytes when a way is chosen: a round trip on a shop's line."""
SNAPSHOT_ROW_COST = 3
"""A row changed costs as much time as so many rows loaded from a snapshot."""

Read = Callable[[BlobRef], bytes]


@dataclass(frozen=True, slots=True)
class Way:
    """How a channel gets to its head: blobs in turn, each leading to the version `goals` names; `rows` counts what they touch."""

    blobs: tuple[BlobRef, ...] = ()
    goals: tuple[int, ...] = ()
    rows: int = 0

    @property
    def length(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.length for blob in self.blobs)


def find_way(name: str, there: ChannelHead, here: SyncCursor, read: Read) -> Way:
    """Return how `name` gets to `there` without a snapshot; a point with our own root costs no bytes. Raises: Gap, Malformed."""
    if here.root == there.root:
        return Way()
    if here.epoch == there.epoch and (found := _along(there.tail, here.version, there.version)) is not None:
        return found
    index = index_of(name, there, read)
    found = _into(index, there, here)
    if found is None:
        raise Gap(f"no way leads on from {name} {here.version}", channel=name)
    if found.rows * SNAPSHOT_ROW_COST > there.rows and found.length > index.snapshot.length:
        raise Gap(f"a snapshot of {name} is the shorter way", channel=name)
    return found


def after_snapshot(name: str, index: Index, there: ChannelHead) -> Way:
    """Return how a channel gets from its snapshot to its head. Raises: Gap."""
    found = _along(index.segments, index.snapshot.version, there.version)
    if found is None:
        raise Gap(f"no way leads on from the snapshot of {name}", channel=name)
    return found


def index_of(name: str, there: ChannelHead, read: Read) -> Index:
    """Return the index that a channel's head names. Raises: Malformed, also when it is another channel's."""
    index = decode_index(read(there.index))
    if (index.channel, index.epoch) != (name, there.epoch):
        raise Malformed(f"the index of {index.channel} stands for {name}")
    return index


def chain_of(segments: Iterable[SegmentRef], version: int, goal: int) -> list[SegmentRef] | None:
    """Return the cheapest chain of segments from `version` to `goal` by bytes and fetches; None when there is none."""
    usable = [ref for ref in segments if ref.last <= goal]
    best = {version: 0}
    came: dict[int, tuple[int, SegmentRef]] = {}
    reached = [(0, version)]
    while reached:
        cost, here = heappop(reached)
        if here == goal:
            break
        for ref in usable:
            next_cost = cost + ref.blob.length + FETCH_BYTES
            if ref.first <= here + 1 <= ref.last and next_cost < best.get(ref.last, next_cost + 1):
                best[ref.last] = next_cost
                came[ref.last] = (here, ref)
                heappush(reached, (next_cost, ref.last))
    if goal not in best:
        return None
    chain: list[SegmentRef] = []
    while goal != version:
        goal, ref = came[goal]
        chain.append(ref)
    return chain[::-1]


def _into(index: Index, there: ChannelHead, here: SyncCursor) -> Way | None:
    if here.epoch == there.epoch and (found := _along(index.segments, here.version, there.version)) is not None:
        return found
    same = index.version_with(here.root)
    if same is not None and (found := _along(index.segments, same, there.version)) is not None:
        return found
    join = index.join_from(here.epoch, here.version)
    rest = _along(index.segments, join.lands, there.version) if join is not None else None
    if join is None or rest is None:
        return None
    return Way((join.blob, *rest.blobs), (join.lands, *rest.goals), join.rows + rest.rows)


def _along(segments: Iterable[SegmentRef], version: int, goal: int) -> Way | None:
    chain = chain_of(segments, version, goal)
    if chain is None:
        return None
    return Way(tuple(ref.blob for ref in chain), tuple(ref.last for ref in chain), sum(ref.rows for ref in chain))
