from __future__ import annotations

from datetime import timedelta

import pytest

from pos import catalog, offers, price_past
from pos.price_past import PricePast, past_of, remembered_past
from tests import world
from tests.world import GOOD, IPHONE_13, NOW, Kiosk

DAY = timedelta(days=1)


def begin(kiosk: Kiosk) -> None:
    catalog.upgrade_catalog(kiosk.directory / "catalog.db", now=NOW)


def change(kiosk: Kiosk, statement: str, touched: dict[str, set[int]] | None, days: int) -> None:
    with kiosk.catalog.write() as database:
        database.execute(statement)
        catalog.refresh(database, touched, now=NOW + days * DAY)


def past(kiosk: Kiosk, *, days: int, grade_id: int = GOOD) -> PricePast | None:
    database = kiosk.catalog.read()
    offer = offers.winning_offer(database, IPHONE_13, grade_id)
    cents = offer.all_in_cents if offer else None
    return remembered_past(database, sku_id=IPHONE_13, grade_id=grade_id, now_cents=cents, now=NOW + days * DAY)


def steps(told: PricePast | None) -> list[tuple[str, int | None]]:
    return [(step.since_at[:10], step.all_in_cents) for step in told.steps] if told else []


@pytest.mark.parametrize("touched", [{"listing": {101}}, None], ids=["a few rows", "everything anew"])
def test_a_corner_remembers_each_price_it_proposed(kiosk: Kiosk, touched: dict[str, set[int]] | None) -> None:
    begin(kiosk)
    change(kiosk, "update listing set price_cents = 35000 where listing_id = 101", touched, 3)
    change(kiosk, "update listing set price_cents = 36000 where listing_id = 101", touched, 5)

    assert steps(past(kiosk, days=6)) == [("2026-11-22", 36900), ("2026-11-25", 35500), ("2026-11-27", 36500)]
    other = remembered_past(kiosk.catalog.read(), sku_id=IPHONE_13, grade_id=world.FAIR, now_cents=32900, now=NOW + 6 * DAY)
    assert steps(other) == [("2026-11-22", 32900)], "what did not move is one step"


@pytest.mark.parametrize("touched", [{"stock": {104}, catalog.TURNED_STOCK: {104}}, None])
def test_days_without_an_offer_are_no_price(kiosk: Kiosk, touched: dict[str, set[int]] | None) -> None:
    begin(kiosk)
    change(kiosk, "update stock set quantity = 0 where listing_id = 104", touched, 1)
    change(kiosk, "update stock set quantity = 2 where listing_id = 104", touched, 4)

    told = past(kiosk, days=5, grade_id=world.FAIR)
    assert steps(told) == [("2026-11-22", 32900), ("2026-11-23", None), ("2026-11-26", 32900)]
    assert told is not None
    assert told.low_cents == 32900


def test_an_announced_price_is_remembered_from_its_start(kiosk: Kiosk) -> None:
    begin(kiosk)
    start = ("fr.101", world.ATELIER, 101, "2026-11-24T00:00:00Z", 30000, None)
    with kiosk.catalog.write() as database:
        database.execute("insert into price_start values (?, ?, ?, ?, ?, ?)", start)
        catalog.refresh(database, {"price_start": {start[0]}}, now=NOW)
        from pos import prices

        prices.activate(database, NOW + 2 * DAY)

    assert steps(past(kiosk, days=3)) == [("2026-11-22", 36900), ("2026-11-24", 30500)]


def test_the_lowest_is_of_thirty_days_or_says_since_when(kiosk: Kiosk) -> None:
    begin(kiosk)
    change(kiosk, "update listing set price_cents = 30000 where listing_id = 101", {"listing": {101}}, 10)
    change(kiosk, "update listing set price_cents = 36000 where listing_id = 101", {"listing": {101}}, 12)

    soon, later, long_after = past(kiosk, days=20), past(kiosk, days=41), past(kiosk, days=43)
    assert soon is not None
    assert later is not None
    assert long_after is not None
    assert (soon.low_cents, soon.is_low_whole, soon.low_since_at) == (30500, False, soon.since_at)
    assert (later.low_cents, later.is_low_whole) == (30500, True), "it was in force until 29 days ago"
    assert (long_after.low_cents, long_after.is_low_whole) == (36500, True)


def test_what_is_half_a_year_old_is_forgotten(kiosk: Kiosk) -> None:
    begin(kiosk)
    change(kiosk, "update listing set price_cents = 30000 where listing_id = 101", {"listing": {101}}, 1)
    change(kiosk, "update listing set price_cents = 31000 where listing_id = 101", {"listing": {101}}, 200)

    rows = kiosk.catalog.read().execute("select all_in_cents from offer_past where sku_id = ?", [IPHONE_13]).fetchall()
    assert [cents for (cents,) in rows] == [30500]


def test_a_catalogue_that_does_not_remember_says_nothing_and_is_refreshed_as_before(kiosk: Kiosk) -> None:
    change(kiosk, "update listing set price_cents = 35000 where listing_id = 101", {"listing": {101}}, 1)
    change(kiosk, "update listing set price_cents = 34000 where listing_id = 101", None, 2)

    assert past(kiosk, days=3) is None


def test_beginning_twice_keeps_since_when(kiosk: Kiosk) -> None:
    begin(kiosk)
    catalog.upgrade_catalog(kiosk.directory / "catalog.db", now=NOW + 9 * DAY)

    told = past(kiosk, days=10)
    assert told is not None
    assert told.since_at == "2026-11-22T14:32:00Z"


def test_equal_neighbours_are_one_step_and_the_past_begins_with_a_price() -> None:
    told = past_of([("a", None), ("b", 5), ("c", 5), ("d", 6), ("d", 7)], of="seller", now=NOW)

    assert told is not None
    assert [(step.since_at, step.all_in_cents) for step in told.steps] == [("b", 5), ("d", 7)]
    assert past_of([], of="seller", now=NOW) is None
    assert price_past.KEPT > timedelta(days=price_past.LOW_DAYS)
