"""Fault 27: the assortment shrinks and grows, listings move, a corner changes its market. No ghost, no duplicate, no detour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pos.db import connect
from sync.follower import Subscription, follow
from sync.hq.log import mark_dirty
from sync.hq.publisher import publish
from tests.sync.conftest import NOW, Hq, Kiosk, Line, grade, listing, sku

DERIVED = ("offer", "shelf", "facet", "price_now", "spelling", "sku_word")
"""What pages show: a ghost or a duplicate would stand here."""


def second_grade(hq: Hq) -> None:
    hq.put("grade", grade(10, 3, "EXCELLENT", 80))


def moved(row: int, *, sku_id: int = 1, grade_id: int = 9) -> tuple[object, ...]:
    whole = listing(row, sku_id=sku_id)
    return (*whole[:2], grade_id, *whole[3:])


CHANGES: dict[str, tuple[Callable[[Hq], None], set[str]]] = {
    "a listing goes": (lambda hq: hq.drop("listing", 7), {"price"}),
    "a listing comes": (lambda hq: hq.put("listing", listing(900)), {"price"}),
    "a listing moves to another SKU": (lambda hq: hq.put("listing", moved(7, sku_id=2)), {"price"}),
    "a listing moves to another grade": (lambda hq: hq.put("listing", moved(7, grade_id=10)), {"price"}),
    "every listing moves to another SKU": (
        lambda hq: hq.put("listing", *(moved(row, sku_id=2) for row in range(1, 201))),
        {"price"},
    ),
    "a SKU goes with its listings": (
        lambda hq: (hq.drop("sku", 1), hq.drop("listing", *range(1, 201)), hq.drop("stock", *range(1, 201)))[0],
        {"content", "price", "stock"},
    ),
    "a SKU goes and its code passes to another": (
        lambda hq: (hq.drop("sku", 2), hq.put("sku", sku(5, "IPHONE-12-128-RED")))[0],
        {"content"},
    ),
    "two SKUs swap their codes": (
        lambda hq: hq.put("sku", sku(1, "IPHONE-12-128-RED"), sku(2, "IPHONE-12-128-BLUE")),
        {"content"},
    ),
    "everything is sold out": (lambda hq: hq.put("stock", *((row, 0) for row in range(1, 201))), {"stock"}),
    "most of it goes": (
        lambda hq: (hq.drop("listing", *range(1, 190)), hq.drop("stock", *range(1, 190)))[0],
        {"price", "stock"},
    ),
}


@pytest.fixture
def fresh(tmp_path: Path, line: Line) -> Iterator[Kiosk]:
    """A kiosk that takes a snapshot of the end: how a catalogue has to look."""
    directory = tmp_path / "fresh"
    directory.mkdir()
    made = Kiosk(directory, Line(line.static))
    yield made
    made.catalog.close()
    made.ops.close()


def shown(kiosk: Kiosk) -> dict[str, list[tuple[object, ...]]]:
    """Return every derived row, in order."""
    database = connect(kiosk.catalog.path, durable=False)
    try:
        return {table: sorted(database.execute(f"select * from {table}"), key=repr) for table in DERIVED}
    finally:
        database.close()


@pytest.mark.parametrize("change", CHANGES)
def test_fault_27_only_the_channels_that_changed_are_fetched_and_nothing_stays_behind(
    hq: Hq, follower: Kiosk, fresh: Kiosk, line: Line, change: str
) -> None:
    second_grade(hq)
    hq.publish()
    follower.follow()
    act, channels = CHANGES[change]
    before = hq.head().track.channels
    act(hq)
    hq.publish()
    after = hq.head().track.channels
    assert {name for name in after if after[name] != before[name]} == channels
    line.asked.clear()

    follower.follow()

    asked = {request.path_url.rpartition("/")[2] for request in line.asked if "/b/" in request.path_url}
    untouched = {name: hq.index(name) for name in after.keys() - channels}
    assert asked.isdisjoint({ref.sha256 for index in untouched.values() for ref in index.blobs()})
    assert asked.isdisjoint({after[name].index.sha256 for name in untouched})
    assert follower.rows() == hq.rows
    assert follower.is_sound()
    fresh.follow()
    assert shown(follower) == shown(fresh)


def test_fault_27_what_left_and_came_back_is_there_once(hq: Hq, follower: Kiosk, fresh: Kiosk) -> None:
    """The assortment shrinks and grows again, while the kiosk sees every step, every third, or the last alone."""
    hq.publish()
    follower.follow()
    for turn in range(9):
        if turn % 2:
            hq.put("listing", *(listing(row, sku_id=1 + turn % 2) for row in range(1, 100, turn)))
            hq.put("stock", *((row, turn) for row in range(1, 100, turn)))
        else:
            hq.drop("listing", *range(1, 100, turn + 1))
            hq.drop("stock", *range(1, 100, turn + 1))
        hq.publish()
        if turn % 3 == 0:
            follower.follow()
            assert follower.rows() == hq.rows
    follower.follow()
    fresh.follow()
    assert follower.rows() == fresh.rows() == hq.rows
    assert shown(follower) == shown(fresh)


def test_fault_27_a_corner_that_moves_to_another_market_holds_that_market_alone(hq: Hq, follower: Kiosk, fresh: Kiosk) -> None:
    """The other market's numbers are lower and its content is the same; then the corner moves back."""
    hq.publish()
    for price_cents in (20_000, 21_000, 22_000):
        hq.put("listing", listing(1, price_cents=price_cents))
        hq.publish()
    follower.follow()
    theirs = {**hq.rows, "listing": {3: listing(3, price_cents=55_500)}, "stock": {3: (3, 2)}}
    place = replace(
        hq.place,
        market="us",
        replica=hq.directory / "us" / "catalog.db",
        current_rows=lambda _, table, keys: [row for key, row in theirs[table].items() if keys is None or key in keys],
        facts={"currency": "USD"},
    )
    with hq.engine.begin() as connection:
        mark_dirty(connection, "us", "listing", None)
    published = publish(place, now=hq.tick())
    assert published is not None
    assert published.publication == 1

    moved = follow(follower.catalog, follower.trust, Subscription(market="us"), now=NOW)

    assert moved.publication == 1
    assert follower.rows() == theirs
    assert follower.is_sound()
    assert follower.catalog.read().execute("select value from catalog_fact where name = 'currency'").fetchone() == ("USD",)
    follow(fresh.catalog, fresh.trust, Subscription(market="us"), now=NOW)
    assert shown(follower) == shown(fresh)

    follower.follow()
    assert follower.rows() == hq.rows
    assert follower.catalog.read().execute("select value from catalog_fact where name = 'currency'").fetchone() == ("EUR",)
