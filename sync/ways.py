"""The way of one channel from where a kiosk stands to where its head says: the cheapest chain of blobs, or none.

A kiosk in another log than the head's gets in by an equal root, which costs nothing, or by a join; where neither leads, or a
snapshot is the shorter way, it is a gap. Source: docs/protocol.md §5.
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
class BlobChain:
    """How a channel gets to its head: blobs in turn, each leading to the version `goals` names; `rows` counts what they touch."""

    blobs: tuple[BlobRef, ...] = ()
    goals: tuple[int, ...] = ()
    rows: int = 0

    @property
    def length(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.length for blob in self.blobs)


def find_way(channel: str, head: ChannelHead, held: SyncCursor, read: Read) -> BlobChain:
    """Return how a channel gets from where it is held to its head without a snapshot; an equal root costs no bytes.

    Raises: Gap when no chain, equal root or join leads there, or a snapshot is the shorter way (docs/protocol.md §5); Malformed.
    """
    if held.root == head.root:
        return BlobChain()
    if held.epoch == head.epoch and (way := _along(head.tail, held.version, head.version)) is not None:
        return way
    index = index_of(channel, head, read)
    way = _into(index, head, held)
    if way is None:
        raise Gap(f"no way leads on from {channel} {held.version}", channel=channel)
    if way.rows * SNAPSHOT_ROW_COST > head.rows and way.length > index.snapshot.length:
        raise Gap(f"a snapshot of {channel} is the shorter way", channel=channel)
    return way


def after_snapshot(channel: str, index: Index, head: ChannelHead) -> BlobChain:
    """Return how a channel gets from its snapshot to its head. Raises: Gap."""
    way = _along(index.segments, index.snapshot.version, head.version)
    if way is None:
        raise Gap(f"no way leads on from the snapshot of {channel}", channel=channel)
    return way


def index_of(channel: str, head: ChannelHead, read: Read) -> Index:
    """Return the index that a channel's head names. Raises: Malformed, also when it is another channel's."""
    index = decode_index(read(head.index))
    if (index.channel, index.epoch) != (channel, head.epoch):
        raise Malformed(f"the index of {index.channel} stands for {channel}")
    return index


def chain_of(segments: Iterable[SegmentRef], version: int, goal: int) -> list[SegmentRef] | None:
    """Return the cheapest chain of segments from `version` to `goal` by bytes and fetches; None when there is none.

    Dijkstra's algorithm over versions: a segment is an edge from each version it may be applied to.
    """
    usable = [ref for ref in segments if ref.last <= goal]
    best = {version: 0}
    came: dict[int, tuple[int, SegmentRef]] = {}
    reached = [(0, version)]
    while reached:
        cost, nearest = heappop(reached)
        if nearest == goal:
            break
        for ref in usable:
            next_cost = cost + ref.blob.length + FETCH_BYTES
            if ref.first <= nearest + 1 <= ref.last and next_cost < best.get(ref.last, next_cost + 1):
                best[ref.last] = next_cost
                came[ref.last] = (nearest, ref)
                heappush(reached, (next_cost, ref.last))
    if goal not in best:
        return None
    chain: list[SegmentRef] = []
    while goal != version:
        goal, ref = came[goal]
        chain.append(ref)
    return chain[::-1]


def _into(index: Index, head: ChannelHead, held: SyncCursor) -> BlobChain | None:
    """Return how the log of `index` is reached: along it, from a point with an equal root, or by a join from another log."""
    if held.epoch == head.epoch and (way := _along(index.segments, held.version, head.version)) is not None:
        return way
    # Equal roots are equal rows, whatever log they came by: the kiosk stands at that point of this one.
    same = index.version_with(held.root)
    if same is not None and (way := _along(index.segments, same, head.version)) is not None:
        return way
    join = index.join_from(held.epoch, held.version)
    rest = _along(index.segments, join.lands, head.version) if join is not None else None
    if join is None or rest is None:
        return None
    return BlobChain((join.blob, *rest.blobs), (join.lands, *rest.goals), join.rows + rest.rows)


def _along(segments: Iterable[SegmentRef], version: int, goal: int) -> BlobChain | None:
    chain = chain_of(segments, version, goal)
    if chain is None:
        return None
    return BlobChain(tuple(ref.blob for ref in chain), tuple(ref.last for ref in chain), sum(ref.rows for ref in chain))
