from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from pos import catalog, clock, offers, prices, selections, slips
from pos.db import OperationalError, write
from pos.line_facts import Wish
from tests import world
from tests.plans import plan_of
from tests.world import ATELIER, GOOD, IPHONE_13, NOW, Kiosk

PARIS = ZoneInfo("Europe/Paris")
SECOND = timedelta(seconds=1)
IN_AN_HOUR = NOW.replace(minute=0) + timedelta(hours=1)


def start(listing_id: int, at: datetime, price_cents: int, prior_cents: int | None = None) -> tuple[Any, ...]:
    text = clock.to_text(at)
    return (f"{listing_id}@{text}", ATELIER, listing_id, text, price_cents, prior_cents)


def announce(kiosk: Kiosk, *starts: tuple[Any, ...], now: datetime = NOW) -> None:
    with kiosk.catalog.write() as database:
        database.conn.executemany("insert into price_start values (?, ?, ?, ?, ?, ?)", starts)
        catalog.refresh(database, {"price_start": {row[0] for row in starts}}, now=now)


def activate(kiosk: Kiosk, now: datetime, *, is_verified: bool = False) -> int:
    with kiosk.catalog.write() as database:
        return prices.activate(database, now, is_verified=is_verified)


def price_of(kiosk: Kiosk, listing_id: int = 101) -> int:
    return offers.offer_of_listing(kiosk.catalog.read(), listing_id).price_cents


def derived(database: Database) -> list[list[Any]]:
    return [list(database.execute(f"select * from {table} order by 1, 2")) for table in ("price_now", "offer", "shelf")]


def test_a_price_starts_at_its_second_and_not_before(kiosk: Kiosk) -> None:
    announce(kiosk, start(101, IN_AN_HOUR, 30000, 36400))

    assert activate(kiosk, IN_AN_HOUR - SECOND) == 0
    assert price_of(kiosk) == 36400
    assert activate(kiosk, IN_AN_HOUR) == 1
    offer = offers.offer_of_listing(kiosk.catalog.read(), 101)
    assert (offer.price_cents, offer.prior_cents, offer.all_in_cents) == (30000, 36400, 30500)
    assert activate(kiosk, IN_AN_HOUR + SECOND) == 0, "once"


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (datetime(2026, 3, 29, tzinfo=PARIS), "2026-03-28T23:00:00Z"),
        (datetime(2026, 3, 30, tzinfo=PARIS), "2026-03-29T22:00:00Z"),
        (datetime(2026, 10, 25, tzinfo=PARIS), "2026-10-24T22:00:00Z"),
        (datetime(2026, 10, 26, tzinfo=PARIS), "2026-10-25T23:00:00Z"),
        # 02:30 comes twice that night: the time in UTC says which.
        (datetime(2026, 10, 25, 2, 30, tzinfo=PARIS), "2026-10-25T00:30:00Z"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1), "2026-10-25T01:30:00Z"),
    ],
)
def test_midnight_in_paris_comes_once_on_the_nights_the_clocks_change(kiosk: Kiosk, day: datetime, utc: str) -> None:
    announce(kiosk, start(101, day, 30000), now=day - timedelta(days=4))
    moved = [activate(kiosk, day.astimezone(UTC) + timedelta(minutes=minutes)) for minutes in range(-180, 181, 15)]
    assert clock.to_text(day) == utc
    assert moved == [0] * 12 + [1] + [0] * 12
    assert kiosk.catalog.read().execute("select starts_at from price_now").fetchall() == [(utc,)]


def test_the_offer_and_the_shelf_follow_and_nothing_else_is_written(kiosk: Kiosk) -> None:
    announce(kiosk, start(102, IN_AN_HOUR, 30000))
    rows = {table: kiosk.catalog.read().execute(f"select * from {table}").fetchall() for table in ("listing", "price_start")}
    before = kiosk.catalog._current_writer().conn.total_changes

    activate(kiosk, IN_AN_HOUR)

    written = kiosk.catalog._current_writer().conn.total_changes - before
    winner = offers.winning_offer(kiosk.catalog.read(), IPHONE_13, GOOD)
    assert winner is not None
    assert (winner.listing_id, winner.all_in_cents) == (102, 30500)
    shelf = "select from_cents from shelf where sku_id = ?"
    assert kiosk.catalog.read().execute(shelf, [IPHONE_13]).fetchone() == (30500,)
    assert rows == {table: kiosk.catalog.read().execute(f"select * from {table}").fetchall() for table in rows}
    assert written <= 5, "one price, one offer, one shelf row"


def test_the_newest_start_counts_and_a_price_may_end_like_it_began(kiosk: Kiosk) -> None:
    announce(kiosk, start(101, IN_AN_HOUR, 30000, 36400), start(101, IN_AN_HOUR + timedelta(days=1), 36400))
    activate(kiosk, IN_AN_HOUR)
    assert price_of(kiosk) == 30000
    activate(kiosk, IN_AN_HOUR + timedelta(days=1))
    offer = offers.offer_of_listing(kiosk.catalog.read(), 101)
    assert (offer.price_cents, offer.prior_cents) == (36400, None)


def test_a_kiosk_that_slept_through_several_starts_wakes_to_the_last(kiosk: Kiosk) -> None:
    announce(kiosk, *(start(101, IN_AN_HOUR + timedelta(hours=hour), 30000 + hour) for hour in range(5)))
    assert activate(kiosk, IN_AN_HOUR + timedelta(days=9)) == 1
    assert price_of(kiosk) == 30004


def test_a_clock_that_runs_back_takes_nothing_back_unless_hq_says_it_ran_far_ahead(kiosk: Kiosk) -> None:
    announce(kiosk, start(101, IN_AN_HOUR, 30000))
    activate(kiosk, IN_AN_HOUR)

    assert activate(kiosk, IN_AN_HOUR - timedelta(days=3650)) == 0
    assert activate(kiosk, IN_AN_HOUR - prices.MOST_AHEAD, is_verified=True) == 0
    assert price_of(kiosk) == 30000
    assert activate(kiosk, IN_AN_HOUR - prices.MOST_AHEAD - SECOND, is_verified=True) == 1
    assert price_of(kiosk) == 36400


def test_the_next_start_is_known_without_reading_them_all(kiosk: Kiosk) -> None:
    later = IN_AN_HOUR + timedelta(days=1)
    announce(kiosk, start(101, IN_AN_HOUR, 30000), start(102, later, 30000))
    database = kiosk.catalog.read()
    assert prices.next_start(database) == IN_AN_HOUR
    activate(kiosk, IN_AN_HOUR)
    assert (prices.in_force_since(database), prices.next_start(database)) == (IN_AN_HOUR, later)
    activate(kiosk, later)
    assert prices.next_start(database) is None
    for ask in (prices.next_start, prices.in_force_since):
        assert not [step for step in plan_of(database, lambda ask=ask: ask(database)) if step.startswith("SCAN")]


def test_hq_s_plain_row_takes_over_and_nothing_visible_changes(kiosk: Kiosk) -> None:
    announce(kiosk, start(101, IN_AN_HOUR, 30000, 36400))
    activate(kiosk, IN_AN_HOUR)
    before = offers.ladder(kiosk.catalog.read(), IPHONE_13), derived(kiosk.catalog.read())[1:]

    with kiosk.catalog.write() as database:
        database.execute("update listing set price_cents = 30000, prior_cents = 36400 where listing_id = 101")
        database.execute("delete from price_start")
        catalog.refresh(database, {"listing": {101}, "price_start": {start(101, IN_AN_HOUR, 0)[0]}}, now=NOW)

    database = kiosk.catalog.read()
    assert (offers.ladder(database, IPHONE_13), derived(database)[1:]) == before
    assert database.execute("select count(*) from price_now").fetchone() == (0,)


def test_a_start_withdrawn_by_hq_gives_the_listing_s_own_price_back(kiosk: Kiosk) -> None:
    announce(kiosk, start(102, IN_AN_HOUR, 30000))
    activate(kiosk, IN_AN_HOUR)
    with kiosk.catalog.write() as database:
        database.execute("delete from price_start")
        catalog.refresh(database, {"price_start": {"gone"}}, now=NOW)
    winner = offers.winning_offer(kiosk.catalog.read(), IPHONE_13, GOOD)
    assert winner is not None
    assert (winner.listing_id, price_of(kiosk, 102)) == (101, 37000)


def test_a_selection_says_was_and_now_and_its_slip_is_not_older_than_its_price(kiosk: Kiosk) -> None:
    announce(kiosk, start(101, IN_AN_HOUR, 38400))
    with kiosk.ops_write() as ops:
        selection_id = selections.start_selection(ops.execute, now=NOW)
        selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=Wish(listing_id=101, seen_cents=36900), now=NOW)
    activate(kiosk, IN_AN_HOUR)

    [line] = selections.priced_selection(kiosk.ops.read().execute, kiosk.catalog.read(), selection_id, now=NOW).lines
    assert (line.state, line.wish.seen_cents, line.offer and line.offer.all_in_cents) == ("changed", 36900, 38900)
    with kiosk.ops_write() as ops:
        selections.accept_line(ops.execute, kiosk.catalog.read(), selection_id, 1, now=NOW)
        slip = slips.issue_slip(
            ops, kiosk.catalog.read(), selection_id, device=kiosk.device, seen=None, language="fr", now=IN_AN_HOUR - SECOND
        )
    assert (slip.issued_at, slip.facts["lines"][0]["listing"]["all_in_cents"]) == (clock.to_text(IN_AN_HOUR), 38900)


def test_an_activation_cut_short_at_any_statement_leaves_the_old_prices_whole(kiosk: Kiosk) -> None:
    announce(kiosk, start(101, IN_AN_HOUR, 42000), start(102, IN_AN_HOUR, 30000), start(107, IN_AN_HOUR, 20000))
    database = kiosk.catalog._current_writer()
    before = derived(database)
    for fail_at in range(1, 100):
        allowed = [fail_at]

        def cut(*_: Any, allowed: list[int] = allowed) -> int:
            allowed[0] -= 1
            return 0 if allowed[0] else 1

        database.conn.set_progress_handler(cut, 40)
        with suppress(OperationalError), write(database):
            prices.activate(database, IN_AN_HOUR)
        database.conn.set_progress_handler(None, 0)
        if allowed[0] > 0:
            break
        assert derived(database) == before, fail_at
    assert fail_at > 3
    assert [price_of(kiosk, listing_id) for listing_id in (101, 102, 107)] == [42000, 30000, 20000]


listing_ids = st.sampled_from([row[0] for row in world.LISTINGS])
hours = st.integers(0, 12)
steps = st.one_of(
    st.tuples(st.just("announce"), st.tuples(listing_ids, hours, st.integers(20000, 50000))),
    st.tuples(st.just("withdraw"), st.tuples(listing_ids, hours, st.none())),
    st.tuples(st.just("price"), st.tuples(listing_ids, st.none(), st.integers(20000, 50000))),
    st.tuples(st.just("clock"), st.tuples(st.none(), hours, st.none())),
    st.tuples(st.just("publish"), st.tuples(st.none(), st.none(), st.none())),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, max_size=25))
def test_any_story_ends_with_the_kiosk_at_hq_s_price(kiosk: Kiosk, story: list[tuple[str, tuple[Any, Any, Any]]]) -> None:
    """HQ is a dictionary here; the kiosk follows at "publish", its clock jumps about, and trusted time only goes on."""
    database = kiosk.catalog._current_writer()
    database.conn.execute("savepoint story")
    try:
        listed = {row[0]: row[4] for row in world.LISTINGS}
        starts: dict[str, tuple[Any, ...]] = {}
        trusted = NOW
        for what, (listing_id, hour, cents) in [*story, ("publish", (None, None, None))]:
            if what == "clock":
                trusted = max(trusted, IN_AN_HOUR + timedelta(hours=hour))
                prices.activate(database, IN_AN_HOUR + timedelta(hours=hour))
            elif what == "price":
                listed[listing_id] = cents
            elif what == "publish":
                _start_due(listed, starts, trusted)
                _follow(database, listed, starts, trusted)
            elif IN_AN_HOUR + timedelta(hours=hour) > trusted:
                row = start(listing_id, IN_AN_HOUR + timedelta(hours=hour), cents or 1)
                starts = {key: each for key, each in starts.items() if key != row[0]} | ({row[0]: row} if cents else {})
        prices.activate(database, trusted)
        assert {row[0]: offers.offer_of_listing(database, row[0]).price_cents for row in world.LISTINGS} == listed
        some = derived(database)
        catalog.refresh(database, None, now=trusted)
        assert derived(database) == some, "what was touched is all that had to be"
        later = IN_AN_HOUR + timedelta(hours=13)
        prices.activate(database, later)
        _start_due(listed, starts, later)
        assert {row[0]: offers.offer_of_listing(database, row[0]).price_cents for row in world.LISTINGS} == listed
    finally:
        database.conn.execute("rollback to story")
        database.conn.execute("release story")


def _start_due(listed: dict[int, int], starts: dict[str, tuple[Any, ...]], now: datetime) -> None:
    for key, row in sorted(starts.items(), key=lambda item: item[1][3]):
        if row[3] <= clock.to_text(now):
            listed[row[2]] = row[4]
            del starts[key]


def _follow(database: Database, listed: dict[int, int], starts: dict[str, tuple[Any, ...]], now: datetime) -> None:
    held = {row[0]: row for row in database.execute("select * from price_start")}
    prices_held = dict(database.execute("select listing_id, price_cents from listing").fetchall())
    moved = {listing_id for listing_id, cents in listed.items() if prices_held[listing_id] != cents}
    touched = {key for key in held.keys() | starts.keys() if held.get(key) != starts.get(key)}
    database.conn.executemany(
        "update listing set price_cents = ? where listing_id = ?", [(listed[listing_id], listing_id) for listing_id in moved]
    )
    database.conn.executemany("delete from price_start where price_start_id = ?", [(key,) for key in touched])
    rows = [starts[key] for key in touched if key in starts]
    database.conn.executemany("insert into price_start values (?, ?, ?, ?, ?, ?)", rows)
    pairs = offers.pairs_of(database, moved)
    catalog.refresh(database, {"listing": moved, catalog.FORMER_PAIRS: pairs, "price_start": touched}, now=now)
