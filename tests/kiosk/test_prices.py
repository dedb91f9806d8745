from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlite_utils import Database

from kiosk import prices
from kiosk.app import create_app
from pos import clock
from pos.ops import store_setting
from pos.shelf_index import ShelfIndex, read_shelf
from shop.prices import catch_up
from tests import world
from tests.shop.test_selections import GOOD_13, seen, start

STARTS_AT = world.NOW + timedelta(minutes=3)
OLD, NEW = "369,00\u00a0€", "305,00\u00a0€"


@pytest.fixture(autouse=True)
def announced(kiosk: world.Kiosk) -> None:
    """The listing 101 costs 60 euros less in three minutes."""
    at = clock.to_text(STARTS_AT)
    with kiosk.catalog.write() as catalog:
        catalog.execute("insert into price_start values (?, 1, 101, ?, 30000, 36400)", [f"101@{at}", at])


def test_a_price_that_started_while_the_kiosk_was_off_is_there_before_the_first_page(
    kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.app.start_rounds", lambda *_, **__: None)
    monkeypatch.setattr("kiosk.prices._watch", lambda *_: None)
    with time_machine.travel(STARTS_AT, tick=False):
        page = create_app(kiosk.directory, sync=True).test_client().get("/sku/IPHONE-13-128-BLUE").text
    assert NEW in page
    assert OLD not in page


def test_a_slip_tapped_at_the_very_second_says_was_and_now_first(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = start(client, **GOOD_13)
    shown = seen(client.get(where).text)
    with time_machine.travel(STARTS_AT, tick=False):
        assert OLD in client.get(where).text, "a page never writes: it waits for the watch"
        answer = client.post(f"{where}/slip", data={"seen": shown})
        assert answer.status_code == 409
        assert f"Il était à {OLD} quand la page s’est ouverte, il est à {NEW} maintenant." in answer.text
        assert client.post(f"{where}/lines/1/acceptance").status_code == 303
        slip = client.post(f"{where}/slip", data={"seen": seen(client.get(where).text)})
    assert slip.status_code == 303
    [row] = kiosk.ops.read().execute("select issued_at, facts ->> '$.totals.due_today_cents' from slip")
    assert row == (clock.to_text(STARTS_AT), 30500)


def test_the_second_before_it_the_old_price_still_makes_a_slip(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = start(client, **GOOD_13)
    with time_machine.travel(STARTS_AT - timedelta(seconds=1), tick=False):
        assert client.post(f"{where}/slip", data={"seen": seen(client.get(where).text)}).status_code == 303
    assert kiosk.ops.read().execute("select facts ->> '$.totals.due_today_cents' from slip").fetchall() == [(36900,)]


def test_the_watch_sleeps_until_the_next_start_a_minute_at_most(kiosk: world.Kiosk) -> None:
    for now, expected in (
        (STARTS_AT - timedelta(days=3), 60.0),
        (STARTS_AT - timedelta(seconds=17), 17.0),
        (STARTS_AT - timedelta(seconds=1), 1.0),
        (STARTS_AT, 60.0),
    ):
        assert prices.sleep_s(catch_up(kiosk.catalog, now), now) == expected
    assert kiosk.catalog.read().execute("select starts_at from price_now").fetchall() == [(clock.to_text(STARTS_AT),)]


def test_nothing_is_written_while_nothing_starts(kiosk: world.Kiosk) -> None:
    writer = kiosk.catalog._current_writer()
    before = writer.conn.total_changes
    for minutes in (0, 1, 2):
        assert catch_up(kiosk.catalog, world.NOW + timedelta(minutes=minutes)) == STARTS_AT
        catch_up(kiosk.catalog, world.NOW, is_verified=True)
    assert writer.conn.total_changes == before


def test_without_a_catalogue_there_is_nothing_to_start(kiosk: world.Kiosk) -> None:
    kiosk.catalog.close()
    for path in kiosk.directory.glob("catalog.db*"):
        path.unlink()
    assert catch_up(kiosk.catalog, STARTS_AT) is None


def test_prices_start_by_hq_s_time_where_it_is_known_and_never_before_it(kiosk: world.Kiosk) -> None:
    with time_machine.travel(world.NOW, tick=False):
        assert prices.trusted_now(None) == prices.trusted_now(kiosk.ops) == world.NOW
        for name, value, expected in (
            ("hq_offset_s", 90, world.NOW + timedelta(seconds=90)),
            ("hq_offset_s", -90, world.NOW - timedelta(seconds=90)),
            ("hq_high_water", clock.to_text(STARTS_AT), STARTS_AT),
        ):
            with kiosk.ops_write() as ops:
                store_setting(ops, name, value)
            assert prices.trusted_now(kiosk.ops) == expected


def test_the_shelf_is_read_before_anybody_asks(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    class Called(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise StopIteration(timeout)

    def noted(database: Database) -> ShelfIndex:
        read.append(database)
        return read_shelf(database)

    read: list[Database] = []
    monkeypatch.setattr("pos.shelf_index.read_shelf", noted)
    with pytest.raises(StopIteration):
        prices._watch(app.extensions["comptoir"], Called())
    before = len(read)

    assert client.get("/browse").status_code == 200
    assert (before, len(read)) == (1, 1)
