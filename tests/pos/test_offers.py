from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from pos import catalog, offers
from pos.db import write
from pos.errors import ListingGone
from tests import world
from tests.plans import plan_of
from tests.world import ATELIER, BOUTIQUE, EXCELLENT, FAIR, GOOD, IPHONE_12, IPHONE_13, PREMIUM, RECIF, Kiosk


def change(kiosk: Kiosk, statement: str, *values: object, touched: dict[str, set[object]] | None = None) -> Database:
    with kiosk.catalog.write() as database:
        database.execute(statement, list(values))
        catalog.refresh(database, touched, now=world.NOW)
    return kiosk.catalog.read()


def winner(database: Database, *, sku_id: int = IPHONE_13, grade_id: int = GOOD) -> int | None:
    offer = offers.winning_offer(database, sku_id, grade_id)
    return offer.listing_id if offer else None


def derived(database: Database) -> list[list[Any]]:
    tables = ("offer order by sku_id, grade_id", "shelf order by sku_id", "facet order by category_id, brand, storage_gb")
    return [list(database.execute(f"select * from {table}")) for table in tables]


def test_the_ladder_has_a_rung_for_every_grade_the_plainest_first(kiosk: Kiosk) -> None:
    ladder = offers.ladder(kiosk.catalog.read(), IPHONE_12)

    assert [rung.grade["grade_id"] for rung in ladder] == [FAIR, GOOD, EXCELLENT, PREMIUM]
    assert [rung.offer.listing_id if rung.offer else None for rung in ladder] == [None, 107, None, None]


def test_the_best_quality_for_its_all_in_price_wins_and_names_its_rivals(kiosk: Kiosk) -> None:
    good = offers.ladder(kiosk.catalog.read(), IPHONE_13)[1]

    assert good.offer is not None
    assert (good.offer.listing_id, good.offer.seller["name"], good.offer.all_in_cents) == (101, "Atelier Loire", 36900)
    assert good.offer.runners_up == (
        {"name": "Boutique du Port", "difference_cents": 600, "quality_bp": 9200, "delivery_days": 2},
        {"name": "Récif Mobile", "difference_cents": 1400, "quality_bp": 8800, "delivery_days": 4},
    )


def test_a_cheaper_listing_of_a_poor_seller_does_not_win_by_price_alone(kiosk: Kiosk) -> None:
    assert winner(change(kiosk, "update listing set price_cents = 35900 where listing_id = 102")) == 101
    assert winner(change(kiosk, "update listing set price_cents = 33000 where listing_id = 102")) == 102


def test_what_shipping_adds_counts_in_the_race(kiosk: Kiosk) -> None:
    assert winner(change(kiosk, "update listing set price_cents = 34400 where listing_id = 102")) == 102
    assert winner(change(kiosk, "update listing set shipping_cents = 1000 where listing_id = 102")) == 101


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("update seller set suspended = 1 where seller_id = 1", 102),
        ("update stock set quantity = 0 where listing_id = 101", 102),
        ("delete from stock where listing_id = 101", 102),
        ("delete from listing where listing_id = 101", 102),
        ("update listing set battery_pct = 79 where listing_id = 101", 102),
        ("update listing set battery_pct = 80 where listing_id = 101", 101),
        ("update listing set battery_pct = null where listing_id = 101", 101),
        ("update stock set quantity = 0", None),
    ],
)
def test_who_is_out_of_the_race(kiosk: Kiosk, statement: str, expected: int | None) -> None:
    assert winner(change(kiosk, statement)) == expected


def test_a_battery_under_the_floor_of_premium_does_not_make_premium(kiosk: Kiosk) -> None:
    database = change(kiosk, "update listing set battery_pct = 84 where listing_id = 106")

    assert winner(database, grade_id=PREMIUM) is None
    assert database.execute("select count(*) from offer where sku_id = ? and grade_id = ?", [IPHONE_13, PREMIUM]).fetchone() == (
        0,
    )


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        # At equal quality and price: the quicker delivery, then the smaller seller id, then the smaller listing id.
        ("update listing set delivery_days = 2 where listing_id = 102", 102),
        ("update listing set delivery_days = 3", 101),
        ("update listing set delivery_days = 3, seller_id = 2", 101),
        ("update listing set delivery_days = 3, seller_id = case listing_id when 101 then 3 else 2 end", 102),
    ],
)
def test_ties_are_broken_the_same_way_everywhere(kiosk: Kiosk, statement: str, expected: int) -> None:
    with kiosk.catalog.write() as database:
        database.execute("update seller set quality_bp = 9000")
        database.execute("update listing set price_cents = 36400, shipping_cents = 500 where grade_id = ?", [GOOD])
    assert winner(change(kiosk, statement)) == expected


def test_a_listing_gone_says_what_it_was(kiosk: Kiosk) -> None:
    with pytest.raises(ListingGone) as refusal:
        offers.offer_of_listing(change(kiosk, "update seller set suspended = 1 where seller_id = ?", ATELIER), 101)
    assert refusal.value.data == {"listing_id": 101, "sku": "IPHONE-13-128-BLUE", "grade_id": GOOD}

    with pytest.raises(ListingGone) as refusal:
        offers.offer_of_listing(kiosk.catalog.read(), 4040)
    assert refusal.value.data == {"listing_id": 4040, "sku": None, "grade_id": None}


def test_an_offer_must_hold_as_many_as_asked(kiosk: Kiosk) -> None:
    catalogue = kiosk.catalog.read()
    found = [offers.winning_offer(catalogue, IPHONE_13, GOOD, quantity=quantity) for quantity in (1, 4, 5)]
    assert [offer.listing_id if offer else None for offer in found] == [101, 101, None]


def test_quality_falls_with_cancellations_most_and_stays_in_range() -> None:
    good = {"cancel_bp": 80, "defect_bp": 150, "late_bp": 200, "reply_h": 9}
    assert offers.quality_bp(good) == 10000 - 320 - 450 - 200 - 90
    assert offers.quality_bp({**good, "cancel_bp": 180}) < offers.quality_bp({**good, "defect_bp": 250})
    assert offers.quality_bp({**good, "defect_bp": 250}) < offers.quality_bp({**good, "late_bp": 300})
    assert offers.quality_bp({"cancel_bp": 10000, "defect_bp": 10000, "late_bp": 10000, "reply_h": 999}) == 0
    assert offers.quality_bp({"cancel_bp": 0, "defect_bp": 0, "late_bp": 0, "reply_h": 0}) == 10000


def test_the_shelf_tells_the_lowest_price_and_the_grades(kiosk: Kiosk) -> None:
    row = kiosk.catalog.read().execute("select from_cents, grades from shelf where sku_id = ?", [IPHONE_13]).fetchone()
    assert row == (32900, 0b11110)


def test_a_deleted_listing_leaves_its_sku(kiosk: Kiosk) -> None:
    """What stood on the shelf for it is told by the SKU it had, since its own row is gone."""
    with kiosk.catalog.write() as database:
        database.execute("delete from listing where listing_id = 107")
        database.execute("delete from stock where listing_id = 107")
        catalog.refresh(database, {"listing": {107}, catalog.FORMER_PAIRS: {(IPHONE_12, GOOD)}}, now=world.NOW)

    assert winner(kiosk.catalog.read(), sku_id=IPHONE_12) is None
    assert kiosk.catalog.read().execute("select count(*) from shelf where sku_id = ?", [IPHONE_12]).fetchone() == (0,)


listing_ids = st.sampled_from([row[0] for row in world.LISTINGS])
changes = st.one_of(
    st.tuples(st.just("price_cents"), listing_ids, st.integers(20000, 50000)),
    st.tuples(st.just("shipping_cents"), listing_ids, st.integers(0, 1000)),
    st.tuples(st.just("delivery_days"), listing_ids, st.integers(1, 6)),
    st.tuples(st.just("battery_pct"), listing_ids, st.one_of(st.none(), st.integers(75, 100))),
    st.tuples(st.just("seller_id"), listing_ids, st.sampled_from((ATELIER, BOUTIQUE, RECIF))),
    st.tuples(st.just("grade_id"), listing_ids, st.sampled_from((FAIR, GOOD, EXCELLENT, PREMIUM))),
    st.tuples(st.just("sku_id"), listing_ids, st.sampled_from((IPHONE_12, IPHONE_13, world.DYSON_V11))),
    st.tuples(st.just("quantity"), listing_ids, st.integers(0, 2)),
    st.tuples(st.just("delete"), listing_ids, st.none()),
)


def listings_in_stock(database: Database) -> set[int]:
    return {row[0] for row in database.execute("select listing_id from stock where quantity > 0")}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=st.lists(changes, min_size=1, max_size=6))
def test_refreshing_the_touched_equals_refreshing_all(kiosk: Kiosk, some: list[tuple[str, int, int | None]]) -> None:
    database = kiosk.catalog._current_writer()
    database.conn.execute("savepoint before_changes")
    try:
        touched: dict[str, set[Any]] = {"listing": set(), catalog.FORMER_PAIRS: set()}
        in_stock = listings_in_stock(database)
        for column, listing_id, value in some:
            former = database.execute("select sku_id, grade_id from listing where listing_id = ?", [listing_id]).fetchone()
            if former and column != "quantity":
                touched[catalog.FORMER_PAIRS].add(former)
            if column != "quantity":
                touched["listing"].add(listing_id)
            if column == "delete":
                database.execute("delete from listing where listing_id = ?", [listing_id])
            else:
                table = "stock" if column == "quantity" else "listing"
                database.execute(f"update {table} set {column} = ? where listing_id = ?", [value, listing_id])
        touched[catalog.TURNED_STOCK] = in_stock ^ listings_in_stock(database)
        catalog.refresh(database, touched, now=world.NOW)
        some_refreshed = derived(database)
        catalog.refresh(database, None, now=world.NOW)
        assert some_refreshed == derived(database)
        for sku_id, grade_id, listing_id, all_in_cents in some_refreshed[0]:
            offer = offers.winning_offer(database, sku_id, grade_id)
            assert offer is not None
            assert (offer.listing_id, offer.all_in_cents) == (listing_id, all_in_cents)
    finally:
        database.conn.execute("rollback to before_changes")
        database.conn.execute("release before_changes")


def test_a_page_of_offers_reads_by_index(kiosk: Kiosk) -> None:
    catalogue = kiosk.catalog.read()
    for steps in (
        plan_of(catalogue, lambda: offers.ladder(catalogue, IPHONE_13)),
        plan_of(catalogue, lambda: offers.winning_offer(catalogue, IPHONE_13, GOOD)),
        plan_of(catalogue, lambda: offers.offer_of_listing(catalogue, 101)),
    ):
        assert not [step for step in steps if step.startswith("SCAN") and "grade" not in step]
        assert any("listing USING" in step for step in steps)


def test_a_refresh_of_some_skus_does_not_read_every_listing(kiosk: Kiosk) -> None:
    with kiosk.catalog.write() as database:
        steps = plan_of(database, lambda: offers.refresh(database, pairs={(IPHONE_13, GOOD)}))
    assert not [step for step in steps if step.startswith("SCAN") and any(name in step for name in ("listing", "stock", "offer"))]


def test_refresh_runs_in_the_callers_transaction(kiosk: Kiosk) -> None:
    before = derived(kiosk.catalog.read())
    database = kiosk.catalog._current_writer()
    with suppress(RuntimeError), write(database):
        database.execute("update stock set quantity = 0")
        catalog.refresh(database, None, now=world.NOW)
        raise RuntimeError
    assert derived(kiosk.catalog.read()) == before
