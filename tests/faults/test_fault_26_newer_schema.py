"""Fault 26: HQ speaks a newer schema than this kiosk. It holds at the last version it understands, says so, and sells on."""

from __future__ import annotations

from dataclasses import replace

import pytest

import sync.heads
import sync.hq.drafts
import sync.snapshots
from sync.errors import Malformed
from sync.heads import encode_head, head_name
from sync.hq.repository import announce
from sync.segments import Block, Segment, SnapshotPart, encode_part, encode_segment
from tests.sync.conftest import Hq, Kiosk


def wider(block: Block) -> Block:
    return Block((*block.columns, "colour"), [*block.values, ["blue"] * len(block)])


def segment_with_column(segment: Segment) -> Segment:
    changes = [
        replace(change, put=wider(change.put) if change.put else None, changed=tuple(map(wider, change.changed)))
        for change in segment.tables
    ]
    return replace(segment, tables=tuple(changes))


def segment_with_table(segment: Segment) -> Segment:
    return replace(segment, tables=(*segment.tables, replace(segment.tables[0], table="loyalty")))


def part_with_column(part: SnapshotPart) -> SnapshotPart:
    return replace(part, tables=tuple((name, wider(block)) for name, block in part.tables))


def part_with_table(part: SnapshotPart) -> SnapshotPart:
    return replace(part, tables=(*part.tables, ("loyalty", part.tables[0][1])))


NEWER = {"a column": (segment_with_column, part_with_column), "a table": (segment_with_table, part_with_table)}


@pytest.mark.parametrize("newer", NEWER)
def test_fault_26_a_column_or_table_of_the_future_is_never_applied_in_part(
    hq: Hq, follower: Kiosk, newer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hq.publish()
    follower.follow()
    before = follower.rows()
    with monkeypatch.context() as patch:
        segment_of_the_future, part_of_the_future = NEWER[newer]
        patch.setattr(sync.hq.drafts, "encode_segment", lambda segment: encode_segment(segment_of_the_future(segment)))
        patch.setattr(sync.snapshots, "encode_part", lambda part: encode_part(part_of_the_future(part)))
        hq.put("stock", (1, 0))
        hq.put("stock", (999, 1))
        hq.publish()

    for _ in range(2):
        with pytest.raises(Malformed):
            follower.follow()
        assert follower.rows() == before
        assert follower.is_sound()


def test_fault_26_a_head_of_the_future_is_left_alone(hq: Hq, follower: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.publish()
    follower.follow()
    before = follower.rows()
    hq.put("stock", (1, 0))
    hq.publish()
    head = hq.head()
    with monkeypatch.context() as patch:
        patch.setattr(sync.heads, "FORMAT", "comptoir-head/99")
        newer = encode_head(head)
    announce(hq.static, hq.keys, {head_name("fr", "stable"): newer}, now=hq.now)
    with pytest.raises(Malformed):
        follower.follow()
    assert follower.rows() == before
