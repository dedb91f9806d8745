"""Blobs of rows round-trip, and nothing else gets through the decoder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Malformed, TooLarge
from sync.segments import (
    MAX_TEXT_BYTES,
    Block,
    Segment,
    SnapshotPart,
    TableChange,
    decode_part,
    decode_segment,
    encode_part,
    encode_segment,
    zstd,
)

values = st.one_of(st.none(), st.integers(-(2**62), 2**62), st.text(st.characters(exclude_categories=["Cs"]), max_size=9))


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    width, height = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    ids = st.lists(st.integers(0, 10**9), min_size=height, max_size=height).map(sorted)
    columns = [draw(ids), *(draw(st.lists(values, min_size=height, max_size=height)) for _ in range(width - 1))]
    return Block(tuple(f"c{number}" for number in range(width)), columns)


changes = st.builds(
    TableChange, st.text("abc", min_size=1), st.none() | blocks(), st.none() | blocks(), st.lists(blocks(), max_size=2).map(tuple)
)
segments = st.builds(
    Segment,
    channel=st.sampled_from(["content", "price"]),
    first=st.integers(1, 9),
    last=st.integers(9, 99),
    pre_root=st.text("0123456789abcdef", min_size=64, max_size=64),
    post_root=st.text("0123456789abcdef", min_size=64, max_size=64),
    tables=st.lists(changes, max_size=3).map(tuple),
)


@given(segments)
def test_a_segment_round_trips(segment: Segment) -> None:
    assert decode_segment(encode_segment(segment)) == segment


@given(st.lists(st.tuples(st.sampled_from(["sku", "plan"]), blocks()), max_size=3).map(tuple))
def test_a_part_round_trips(tables: Any) -> None:
    assert decode_part(encode_part(SnapshotPart("content", tables))) == SnapshotPart("content", tables)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(Malformed):
        decode_segment(noise)


@given(st.data())
def test_a_cut_blob_is_refused(data: st.DataObject) -> None:
    blob = encode_part(SnapshotPart("stock", (("stock", Block(("a", "b"), [[1, 2], [3, 4]])),)))
    with pytest.raises(Malformed):
        decode_part(blob[: data.draw(st.integers(0, len(blob) - 1))])


def test_a_bomb_stops_at_the_cap() -> None:
    bomb = zstd.compress(b" " * (MAX_TEXT_BYTES + 10))
    assert len(bomb) < 10_000
    with pytest.raises(TooLarge):
        decode_part(bomb)


@pytest.mark.parametrize(
    "put",
    [
        {"rows": 2, "columns": ["a"], "deltas": [], "values": [[1]]},
        {"rows": 1, "columns": ["a", "b"], "deltas": [], "values": [[1]]},
        {"rows": 0, "columns": ["a"], "deltas": [], "values": [[]]},
        {"rows": True, "columns": ["a"], "deltas": [], "values": [[1]]},
        {"rows": 1, "columns": [1], "deltas": [], "values": [[1]]},
        {"rows": 1, "columns": ["a"], "deltas": ["a"], "values": ["1"]},
        {"rows": 2, "columns": ["a"], "deltas": ["a"], "values": [[1, "x"]]},
        [],
    ],
)
def test_columns_that_do_not_fit_are_refused(put: Any) -> None:
    document = {"format": "comptoir-part/1", "channel": "stock", "tables": [{"table": "stock", "put": put}]}
    with pytest.raises(Malformed):
        decode_part(zstd.compress(json.dumps(document).encode()))


@pytest.mark.parametrize(
    "text",
    [
        '{"format": "comptoir-part/1", "channel": "price", "channel": "stock", "tables": []}',
        '{"format": "comptoir-part/1", "channel": "stock", "tables": [], "rest": NaN}',
        '{"format": "comptoir-part/1", "rest": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=["a field named twice", "no number", "nested without end"],
)
def test_a_blob_with_more_than_one_meaning_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decode_part(zstd.compress(text.encode()))
