from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comptoir import marketplace
from marketplace.db import reading
from marketplace.feeds.imports import Imported, import_feed
from marketplace.feeds.price_starts import HEADER
from marketplace.feeds.reductions import Goods, published_prices
from marketplace.installation import replica_path, sync_path
from marketplace.orders.repricing import PricedWish, price_wish
from marketplace.publishing.prices import start_due_prices
from pos import clock, offers, prices
from pos.db import connect, write
from pos.tokens import TokenLine, slip_number
from tests.marketplace import world
from tests.marketplace.conftest import found
from tests.marketplace.feeds.test_imports import refused_feed
from tests.marketplace.hq import Hq, quiet, words
from tests.marketplace.postgres import Cluster

NOW = datetime.fromisoformat("2026-11-22T09:00:00+00:00")
START = NOW + timedelta(days=4)
IPHONE_13_REDUCED = TokenLine(listing_id=11, one_off_cents=34900, monthly_cents=0)


@pytest.fixture(autouse=True)
def clock_at_nine() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Hq:
    """A marketplace founded at nine of this day."""
    return found(tmp_path_factory.mktemp("founded") / "hq", None, now=NOW)


@pytest.fixture(scope="module")
def founded_on_postgres(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Hq:
    """The same on PostgreSQL."""
    return found(tmp_path_factory.mktemp("founded") / "hq", cluster.url(cluster.new_database("postgres")), now=NOW)


def line(listing_id: int = 11, at: datetime | str = START, price: str = "349.00", prior: str = "", urgent: str = "0") -> str:
    return ";".join((str(listing_id), at if isinstance(at, str) else clock.to_text(at), price, prior, urgent))


def feed_of(hq: Hq, *lines: str, **listings: dict[str, str] | None) -> Path:
    hq.feeds += 1
    feed = world.write_feed(hq.directory / f"feed{hq.feeds}", None, world.listings(**listings))
    (feed / "prices.csv").write_text("\n".join([";".join(HEADER), *lines, ""]), encoding="utf-8")
    return feed


def announce(hq: Hq, *lines: str, **listings: dict[str, str] | None) -> Imported:
    return import_feed(hq.engine, feed_of(hq, *lines, **listings), static=sync_path(hq.directory), progress=quiet)


def announced(hq: Hq) -> list[tuple[Any, ...]]:
    found = hq.rows("select price_start_id, market, price_cents, prior_cents from price_start order by price_start_id")
    return [tuple(each.values()) for each in found]


def priced(hq: Hq, *, publication: int | None, at: datetime) -> PricedWish:
    with reading(hq.engine) as connection:
        wish = TokenLine(listing_id=11, one_off_cents=0, monthly_cents=0)
        found = price_wish(connection, wish, market="fr", publication=publication, at=clock.to_text(at))
    assert found is not None
    return found


def kiosk_prices(hq: Hq, *moments: datetime) -> list[int]:
    """What a kiosk that stands where HQ's replica stands would say at each moment, without hearing from HQ again."""
    path = hq.directory / "kiosk.db"
    shutil.copyfile(replica_path(hq.directory, "fr"), path)
    database = connect(path, durable=False)
    try:
        found = []
        for at in moments:
            with write(database):
                prices.activate(database, at)
            found.append(offers.offer_of_listing(database, 11).all_in_cents)
        return found
    finally:
        database.close()
        path.unlink()


@pytest.mark.parametrize(
    ("lines", "field", "reason"),
    [
        ([line(99)], "listing_id", "no listing 99 in listings.csv"),
        ([line(at="2026-11-26 09:00")], "starts_at", "not a UTC time on a whole minute, as 2026-12-01T23:00:00Z"),
        ([line(at="2026-11-26T09:00:30Z")], "starts_at", "not a UTC time on a whole minute, as 2026-12-01T23:00:00Z"),
        ([line(at="2026-02-30T09:00:00Z")], "starts_at", "not a UTC time on a whole minute, as 2026-12-01T23:00:00Z"),
        ([line(at=NOW)], "starts_at", "past, and listings.csv says 369.00"),
        ([line(at=NOW + timedelta(hours=72, minutes=-1))], "starts_at", "less than 72 hours ahead"),
        ([line(price="349")], "price", "not an amount with two decimals"),
        ([line(price="0.00")], "price", "a price is above zero"),
        ([line(prior="349.00")], "prior_price", "not above the price: no reduction to announce"),
        ([line(prior="369.01")], "prior_price", "above 369.00, the lowest price of the 30 days before (L112-1-1)"),
        ([line(urgent="yes")], "urgent", "not one of 0, 1"),
        (["11;2026-11-26T09:00:00Z;349.00"], "line", "3 fields instead of 5"),
    ],
)
def test_a_wrong_announcement_is_refused_with_its_line(hq: Hq, lines: list[str], field: str, reason: str) -> None:
    problem = refused_feed(hq, feed_of(hq, *lines))[0]
    assert (problem["file"], problem["line"], problem["field"]) == ("prices.csv", 2, field)
    assert problem["reason"].startswith(reason)
    assert announced(hq) == []


def test_an_announced_price_has_the_decimals_of_its_listing_s_currency(hq: Hq) -> None:
    yen = {name: {"currency": "JPY", "price": "58000", "shipping_price": "0"} for name in ("l11", "l12", "l13", "l21")}
    feed = world.write_feed(
        hq.directory / "yen", None, world.listings(**yen), markets={"fr": {**world.MARKETS["fr"], "currency": "JPY"}}
    )
    prices = feed / "prices.csv"
    prices.write_text("\n".join([";".join(HEADER), line(price="54000.00"), ""]), encoding="utf-8")
    [problem] = refused_feed(hq, feed)
    assert (problem["line"], problem["field"], problem["reason"]) == (2, "price", "not an amount without decimals")

    prices.write_text("\n".join([";".join(HEADER), line(price="54000"), ""]), encoding="utf-8")
    import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)
    assert [each[2] for each in announced(hq)] == [54000]


def test_one_price_for_a_listing_and_a_moment(hq: Hq) -> None:
    problem = refused_feed(hq, feed_of(hq, line(), line(12), line(price="339.00")))[0]
    assert (problem["line"], problem["field"], problem["reason"]) == (4, "starts_at", "already on line 2")


@pytest.mark.parametrize("spoiled", [b"", b"listing_id;price\n", b"\xff\xfe"])
def test_a_broken_file_is_refused(hq: Hq, spoiled: bytes) -> None:
    feed = feed_of(hq)
    (feed / "prices.csv").write_bytes(spoiled)
    assert refused_feed(hq, feed)[0]["file"] == "prices.csv"


def test_seventy_two_hours_are_enough_and_what_is_known_or_urgent_needs_none(
    hq: Hq, clock_at_nine: time_machine.Traveller
) -> None:
    at = NOW + timedelta(hours=72)
    announce(hq, line(at=at))
    hq.publish()
    clock_at_nine.move_to(at - timedelta(minutes=1))
    assert announce(hq, line(at=at)).marked == 0, "the same feed again changes nothing"
    assert refused_feed(hq, feed_of(hq, line(at=at, price="348.00")))[0]["field"] == "starts_at"
    assert announce(hq, line(at=at, price="348.00", urgent="1")).changed == {"price_start": 1}
    assert announced(hq) == [(f"11@{clock.to_text(at)}", "fr", 34800, None)]


def test_a_start_that_is_past_is_left_out_with_a_note_where_the_listing_says_the_same(hq: Hq) -> None:
    feed = feed_of(hq, line(at=NOW - timedelta(days=1)), l11={"price": "349.00"})
    done = CliRunner().invoke(marketplace, ["import", str(feed), "--dir", str(hq.directory)])
    assert done.exit_code == 0, done.output
    assert "prices.csv:2: started already, and is the listing's price: left out" in done.output
    assert announced(hq) == []


def test_a_reduction_starts_from_the_lowest_price_of_the_thirty_days_before_it(hq: Hq) -> None:
    hq.change(l11={"price": "359.00"})
    hq.change()
    month = START + timedelta(days=31)
    for lines, is_good in (
        ([line(prior="359.00")], True),
        ([line(prior="360.00")], False),
        ([line(at=month, prior="369.00")], True),
        ([line(at=START, price="350.00"), line(at=month, price="340.00", prior="351.00")], False),
        ([line(at=START, price="350.00", prior="359.00"), line(at=month, price="340.00", prior="359.00")], True),
        ([line(at=START, price="350.00"), line(at=START + timedelta(days=1), price="369.00")], True),
    ):
        if is_good:
            announce(hq, *lines)
            hq.publish()
        else:
            assert refused_feed(hq, feed_of(hq, *lines))[0]["field"] == "prior_price", lines


def test_what_a_feed_no_longer_announces_is_withdrawn(hq: Hq) -> None:
    announce(hq, line(), line(12))
    hq.publish()
    assert hq.import_world().removed == {"price_start": 2}
    assert hq.publish() == 3
    assert kiosk_prices(hq, START) == [36900]


def test_hq_takes_a_started_price_over_once_and_the_fleet_sees_nothing_change(
    hq: Hq, clock_at_nine: time_machine.Traveller
) -> None:
    announce(hq, line(prior="369.00"), line(at=START + timedelta(days=2), price="369.00"))
    assert hq.publish() == 2
    assert kiosk_prices(hq, START - timedelta(seconds=1), START) == [36900, 34900]

    clock_at_nine.move_to(START - timedelta(seconds=1))
    assert hq.publish() is None
    clock_at_nine.move_to(START)
    assert hq.publish() == 3
    assert hq.rows("select price_cents, prior_cents from listing where listing_id = 11") == [
        {"price_cents": 34900, "prior_cents": 36900}
    ]
    assert [each[0] for each in announced(hq)] == [f"11@{clock.to_text(START + timedelta(days=2))}"]
    assert kiosk_prices(hq, START, START + timedelta(days=2)) == [34900, 36900]
    assert (start_due_prices(hq.engine, now=START), hq.publish()) == (0, None)


def test_a_slip_of_a_kiosk_without_network_is_priced_as_that_kiosk_priced_it(
    hq: Hq, clock_at_nine: time_machine.Traveller
) -> None:
    announce(hq, line())
    hq.publish()
    clock_at_nine.move_to(START + timedelta(hours=3))
    digits = hq.digits(IPHONE_13_REDUCED, publication=2, issued=START)
    early = hq.digits(TokenLine(listing_id=11, one_off_cents=36900, monthly_cents=0), publication=2, counter=2,
                      issued=START - timedelta(minutes=1))  # fmt: skip
    assert "Le prix n’a pas changé" in words(hq.client.get(f"/k/{digits}")), "HQ has not published since"
    hq.change(l11={"price": "399.00"})
    page = words(hq.client.get(f"/k/{digits}"))
    assert "349,00 €" in page
    assert "399,00 €" in page
    assert [priced(hq, publication=2, at=at).totals.due_today_cents for at in (START - timedelta(minutes=1), START)] == [
        36900,
        34900,
    ]
    assert "369,00 €" in words(hq.client.get(f"/k/{early}"))


def test_a_slip_event_after_the_start_agrees_to_the_cent(hq: Hq, clock_at_nine: time_machine.Traveller) -> None:
    announce(hq, line())
    hq.publish()
    clock_at_nine.move_to(START + timedelta(minutes=1))
    for publication, cents, agrees in ((2, 34900, True), (2, 36900, False), (1, 36900, True)):
        wish = TokenLine(listing_id=11, one_off_cents=cents, monthly_cents=0)
        counter = len(hq.sent) + 1
        digits = hq.digits(wish, publication=publication, counter=counter, issued=START)
        totals = priced(hq, publication=publication if agrees else 1, at=START).totals.to_facts()
        number = slip_number(101, counter)
        facts = {
            "totals": totals,
            "lines": [{"listing": {"all_in_cents": cents}, "plan": None, "options": [], "quantity": 1}],
        }
        event = {"number": number, "key_id": hq.key_id, "counter": counter, "digits": digits, "facts": facts}
        assert hq.up(hq.event("slip_issued", event)).status_code == 200
    found = hq.rows("select difference from slip order by counter")
    assert [each["difference"] is None for each in found] == [True, False, True]


def test_the_thirty_days_count_a_price_that_started_though_hq_never_published_it(
    hq: Hq, clock_at_nine: time_machine.Traveller
) -> None:
    announce(hq, line(price="329.00"), line(at=START + timedelta(days=1), price="369.00"))
    hq.publish()
    clock_at_nine.move_to(START + timedelta(days=2))
    hq.publish()
    with reading(hq.engine) as connection:
        until = clock.to_text(START + timedelta(days=2))
        [found] = published_prices(connection, [Goods(1, "fr", 1, 11)], since=clock.to_text(NOW), until=until).values()
    assert found.lowest_cents == 32900
    assert found.running == ((36900, None),)
    refused = refused_feed(hq, feed_of(hq, l11={"price": "325.00", "prior_price": "369.00"}))
    assert refused[0]["reason"].startswith("above 329.00")


def test_a_start_taken_back_before_its_moment_counts_nowhere(hq: Hq, clock_at_nine: time_machine.Traveller) -> None:
    announce(hq, line(price="329.00"))
    hq.publish()
    hq.change()
    clock_at_nine.move_to(START + timedelta(days=1))
    announce(hq, l11={"price": "325.00", "prior_price": "369.00"})
    assert priced(hq, publication=2, at=START).totals.due_today_cents == 32900, "who never heard of it was right to go by it"
    assert priced(hq, publication=3, at=START).totals.due_today_cents == 36900


moves = st.lists(
    st.one_of(
        st.tuples(st.just("announce"), st.lists(st.tuples(st.integers(0, 40), st.integers(200, 500)), max_size=3)),
        st.tuples(st.just("price"), st.integers(200, 500)),
        st.tuples(st.just("publish"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 12)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=moves)
def test_kiosk_and_hq_agree_at_every_moment_of_any_story(
    hq: Hq, clock_at_nine: time_machine.Traveller, story: list[tuple[str, Any]]
) -> None:
    listed, now = "369.00", clock.now()
    for what, value in [*story, ("publish", 0)]:
        if what == "wait":
            now += timedelta(hours=value)
            clock_at_nine.move_to(now)
        elif what == "price":
            listed = f"{value}.00"
            announce(hq, l11={"price": listed})
        elif what == "announce":
            starts = {now + timedelta(hours=hour + 1): f"{cents}.00" for hour, cents in value}
            announce(hq, *(line(at=at, price=price, urgent="1") for at, price in starts.items()), l11={"price": listed})
        else:
            hq.publish()
            moments = [now + timedelta(hours=hour) for hour in range(0, 44, 4)]
            publication = hq.rows("select max(publication) as newest from sync_publication")[0]["newest"]
            ours = [priced(hq, publication=publication, at=at).totals.due_today_cents for at in moments]
            assert kiosk_prices(hq, *moments) == ours
            assert priced(hq, publication=None, at=now).totals.due_today_cents == ours[0]
