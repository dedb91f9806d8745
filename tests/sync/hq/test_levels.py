"""Merged segments lead from any version inside them to the same rows, and a log stays short however long it grows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.blobs import BlobRef
from sync.hq.levels import keys_of, merge
from sync.indexes import Index, SegmentRef, SnapshotRef, decode_index, encode_index
from sync.segments import Block, Segment, TableChange, decode_segment
from sync.ways import chain_of
from tests.sync.conftest import Hq, Kiosk, Line, listing

LISTING = ("listing_id", "sku_id", "grade_id", "seller_id", "price_cents", "shipping_cents", "delivery_days",
           "warranty_months", "vat_margin", "battery_pct", "new_battery", "prior_cents")  # fmt: skip


def put(*rows: tuple[Any, ...]) -> TableChange:
    return TableChange("listing", put=Block(LISTING, [list(column) for column in zip(*rows, strict=True)]))


def gone(*keys: int) -> TableChange:
    return TableChange("listing", deleted=Block(("listing_id",), [list(keys)]))


def moved(column: str, *pairs: tuple[int, int]) -> TableChange:
    return TableChange("listing", changed=(Block(("listing_id", column), [list(each) for each in zip(*pairs, strict=True)]),))


def in_turn(*changes: TableChange) -> Segment:
    return merge(
        [
            Segment(channel="price", first=at, last=at, pre_root=f"{at - 1}", post_root=f"{at}", tables=(change,))
            for at, change in enumerate(changes, start=7)
        ]
    )


def test_a_merged_segment_spans_what_it_was_made_of() -> None:
    merged = in_turn(moved("price_cents", (1, 5)), gone(2), moved("price_cents", (3, 6)))
    assert (merged.first, merged.last, merged.pre_root, merged.post_root, merged.rows) == (7, 9, "6", "9", 3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((put(listing(1)), gone(1)), gone(1)),
        ((gone(1), put(listing(1))), put(listing(1))),
        ((put(listing(1)), moved("price_cents", (1, 500))), put(listing(1, price_cents=500))),
        ((moved("price_cents", (1, 500)), moved("price_cents", (1, 600))), moved("price_cents", (1, 600))),
        ((moved("price_cents", (1, 500)), gone(1)), gone(1)),
        ((moved("price_cents", (1, 500)), put(listing(1))), put(listing(1))),
    ],
)
def test_the_last_word_on_a_row_counts(changes: tuple[TableChange, ...], expected: TableChange) -> None:
    assert in_turn(*changes).tables == (expected,)


def test_columns_that_moved_apart_travel_apart() -> None:
    (change,) = in_turn(moved("price_cents", (1, 5), (2, 6)), moved("delivery_days", (2, 9))).tables
    assert {block.columns: block.rows() for block in change.changed} == {
        ("listing_id", "price_cents"): [(1, 5)],
        ("listing_id", "price_cents", "delivery_days"): [(2, 6, 9)],
    }


def test_the_keys_of_segments_are_all_they_touch() -> None:
    assert keys_of([in_turn(put(listing(1)), gone(2), moved("price_cents", (3, 1)))]) == {"listing": {1, 2, 3}}


def test_days_away_cost_a_few_dozen_fetches(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.put("stock", *((number, 5) for number in range(1, 3_000)))
    hq.put("listing", *(listing(number) for number in range(1, 2_000)))
    hq.publish()
    kiosk.follow()
    for step in range(100):
        hq.put("stock", (step % 60 + 1, step))
        hq.put("listing", listing(step % 20 + 1, price_cents=10_000 + step))
        hq.tick(minutes=39 if step < 90 else 1)
        hq.publish()
    asked = len(line.asked)
    moved = kiosk.follow()
    assert moved.parts == 0
    assert len(line.asked) - asked <= 60
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


def test_a_log_names_a_bounded_number_of_segments(hq: Hq) -> None:
    hq.publish()
    for step in range(200):
        hq.put("stock", (1, step % 7))
        hq.tick(hours=3)
        hq.publish()
    index = hq.index("stock")
    assert len(index.segments) <= 40
    spans = {ref.level for ref in index.segments}
    assert max(spans) == 4


def test_what_is_older_than_the_retention_leads_nobody_on(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    for _ in range(20):
        hq.put("stock", (1, hq.rows["stock"][1][1] + 1))
        hq.tick(days=1)
        hq.publish()
    assert kiosk.follow().parts > 0
    assert kiosk.rows() == hq.rows


history = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 12), st.integers(1_000, 1_003)),
        st.tuples(st.just("drop"), st.integers(1, 12), st.just(0)),
        st.tuples(st.just("days"), st.integers(1, 12), st.integers(1, 9)),
        st.tuples(st.just("stock"), st.integers(1, 12), st.integers(0, 3)),
        st.tuples(st.just("publish"), st.sampled_from([1, 1, 9, 40, 400]), st.just(0)),
    ),
    min_size=4,
    max_size=30,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history, st.data())
def test_any_version_gets_there_by_any_mix_of_levels(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("levels")
    hq = Hq(directory)
    hq.put("listing", *(listing(number) for number in range(1, 8)))
    hq.publish()
    kiosks = []
    for name, key, value in steps:
        if name == "put":
            hq.put("listing", listing(key, price_cents=value))
        elif name == "days":
            hq.put("listing", (*listing(key)[:6], value, *listing(key)[7:]))
        elif name == "drop":
            hq.drop("listing", key)
        elif name == "stock":
            hq.put("stock", (key, value))
        else:
            hq.now += timedelta(minutes=key)
            hq.publish()
            place = directory / f"kiosk{len(kiosks)}"
            place.mkdir()
            kiosk = Kiosk(place, Line(hq.static))
            kiosk.follow()
            kiosks.append(kiosk)
    hq.publish()
    for kiosk in kiosks:
        kiosk.follow()
        assert kiosk.rows() == hq.rows
        assert kiosk.is_sound()
        kiosk.catalog.close()
    for segment in hq.index("price").segments:
        assert decode_segment(hq.blob(segment.blob)).last == segment.last
    hq.engine.dispose()


def ref(first: int, last: int, length: int = 100) -> SegmentRef:
    return SegmentRef(first=first, last=last, at=0, rows=1, level=0, pre_root="", blob=BlobRef("ab" * 32, length))


def test_a_way_weighs_bytes_against_fetches() -> None:
    steps = tuple(ref(number, number) for number in range(1, 11))
    assert chain_of(steps, 10, 10) == []
    assert chain_of(steps, 3, 5) == [ref(4, 4), ref(5, 5)]
    assert chain_of((*steps, ref(1, 10, 9_000)), 0, 10) == [ref(1, 10, 9_000)]
    assert chain_of((*steps, ref(1, 10, 90_000)), 8, 10) == [ref(9, 9), ref(10, 10)]
    assert chain_of(steps[2:], 0, 10) is None
    assert chain_of((ref(1, 12),), 0, 10) is None


def test_an_index_round_trips() -> None:
    index = Index(
        channel="price", epoch="e", snapshot=SnapshotRef(4, 9, 100, BlobRef("cd" * 32, 7)), segments=(ref(5, 5), ref(6, 9))
    )
    assert decode_index(encode_index(index)) == index
