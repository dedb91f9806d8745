"""Fault 26: HQ speaks a newer schema than this kiosk. It holds at the last version it understands, says so, and sells on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import sync.publisher
from sync.errors import Malformed
from sync.segments import Block, Segment, encode_segment
from tests.sync.conftest import Hq, Kiosk, Line


def with_column(segment: Segment) -> Segment:
    changes = []
    for change in segment.tables:
        block = change.put or change.changed
        assert block is not None
        wider = Block((*block.columns, "colour"), [*block.values, ["blue"] * len(block)])
        changes.append(replace(change, put=wider if change.put else None, changed=wider if change.changed else None))
    return replace(segment, tables=tuple(changes))


def with_table(segment: Segment) -> Segment:
    table = replace(segment.tables[0], table="loyalty")
    return replace(segment, tables=(*segment.tables, table))


NEWER: dict[str, Callable[[Segment], Segment]] = {"a column": with_column, "a table": with_table}


@pytest.mark.parametrize("newer", NEWER)
def test_fault_26_a_column_or_table_of_the_future_is_never_applied_in_part(
    hq: Hq, follower: Kiosk, newer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hq.publish()
    follower.follow()
    before = follower.rows()
    with monkeypatch.context() as patch:
        patch.setattr(sync.publisher, "encode_segment", lambda segment: encode_segment(NEWER[newer](segment)))
        hq.put("stock", (1, 0))
        hq.put("stock", (999, 1))
        hq.publish()

    for _ in range(2):
        with pytest.raises(Malformed):
            follower.follow()
        assert follower.rows() == before
        assert follower.is_sound()


def test_fault_26_a_head_of_the_future_is_left_alone(hq: Hq, follower: Kiosk, line: Line) -> None:
    hq.publish()
    follower.follow()
    before = follower.rows()

    def newer(request: Any, answer: Any) -> Any:
        return (answer[0], {}, answer[2].replace(b"comptoir-head/", b"comptoir-head/9")) if answer[0] == 200 else answer

    line.after = newer
    hq.put("stock", (1, 0))
    hq.publish()
    with pytest.raises(Malformed):
        follower.follow()
    assert follower.rows() == before
