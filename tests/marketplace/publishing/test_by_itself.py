"""What sellers, orders and timers change is published without a hand; what looks like a mistake waits for somebody."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from marketplace.db import run_tx
from marketplace.installation import replica_path
from marketplace.orders.stock import reserve
from marketplace.publishing import by_itself
from marketplace.publishing.by_itself import publish_supply
from marketplace.publishing.marks import Marks
from marketplace.publishing.publications import publish_market
from marketplace.running.housekeeping import PUBLISH_EVERY
from pos import clock
from pos.db import connect
from sync.hq.log import HQ
from sync.hq.trials import whole_ring
from sync.locks import hold
from tests.marketplace.hq import Hq, words
from tests.marketplace.sellers.selling import Seller
from tests.marketplace.test_console import log_in


@pytest.fixture
def seller(hq: Hq) -> Seller:
    return Seller(hq)


def published(hq: Hq, name: str = "fr") -> dict[int, tuple[int, int]]:
    """Return the price and the units of every listing in a published catalogue."""
    query = "select listing_id, price_cents, coalesce(quantity, 0) from listing left join stock using (listing_id)"
    with closing(connect(replica_path(hq.directory, name), durable=False)) as catalogue:
        return {key: (cents, units) for key, cents, units in catalogue.execute(query).fetchall()}


def origins(hq: Hq) -> list[tuple[str, str]]:
    found = hq.rows("select table_name, origin from sync_dirty order by table_name, row_key")
    return [(each["table_name"], each["origin"]) for each in found]


def go(hq: Hq) -> list[int]:
    return [each.publication for each in publish_supply(hq.engine, hq.directory)]


def many(seller: Seller, count: int, **changes: Any) -> None:
    for number in range(count):
        assert seller.put(f"M-{number}", **changes).status_code in (200, 201)


def test_what_a_seller_lists_is_published_by_the_timer_within_half_a_minute(hq: Hq, seller: Seller) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        hq.work()
        listing_id = seller.put().json["listing_id"]  # type: ignore[index]
        hq.work()
        assert listing_id not in published(hq)
        travel.move_to(start + PUBLISH_EVERY)
        hq.work()
    assert published(hq)[listing_id] == (35900, 4)
    assert origins(hq) == []
    assert PUBLISH_EVERY <= timedelta(seconds=60)


def test_an_order_takes_its_units_out_of_the_catalogue(hq: Hq) -> None:
    line = {"seller_id": 2, "listing_id": 21, "line_no": 1, "quantity": 1}
    run_tx(hq.engine, lambda connection: reserve(connection, "fr", [line]))
    assert go(hq) == [2]
    assert published(hq)[21] == (24900, 0)


def test_hq_s_own_edits_wait_for_a_person(hq: Hq, seller: Seller) -> None:
    hq.import_world(l11={"price": "349.00"})
    listing_id = seller.put().json["listing_id"]  # type: ignore[index]

    assert go(hq) == [2]

    assert (published(hq)[11][0], listing_id in published(hq)) == (36900, True)
    assert origins(hq) == [("listing", HQ)]
    hq.publish()
    assert published(hq)[11][0] == 34900


def test_a_market_that_was_never_published_waits_for_a_person(hq: Hq, seller: Seller) -> None:
    seller.put()
    replica_path(hq.directory, "fr").unlink()
    assert go(hq) == []
    assert {origin for _, origin in origins(hq)} == {"supply"}


def test_an_open_trial_keeps_what_it_tries_while_stock_goes_to_everybody(hq: Hq) -> None:
    hq.import_world(l11={"price": "349.00"})
    publish_market(hq.engine, hq.directory, "fr", shares=whole_ring("canary"))
    hq.write("update listing set quantity = 3 where listing_id = 11")
    run_tx(
        hq.engine, lambda connection: reserve(connection, "fr", [{"seller_id": 1, "listing_id": 11, "line_no": 1, "quantity": 2}])
    )

    assert go(hq) == [4], "the trial's own track goes along under the next number"

    assert published(hq)[11] == (36900, 1)
    assert published(hq, "fr.trial")[11][0] == 34900


def test_what_sold_out_goes_ahead_where_much_waits(hq: Hq, seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_itself, "MANY", 3)
    many(seller, 4)
    run_tx(
        hq.engine, lambda connection: reserve(connection, "fr", [{"seller_id": 2, "listing_id": 21, "line_no": 1, "quantity": 1}])
    )

    [first, second] = publish_supply(hq.engine, hq.directory)

    assert set(first.changed["stock"]) == {21}
    assert not first.changed.get("listing")
    assert second.publication == first.publication + 1
    assert len(published(hq)) == 8


def test_another_publisher_at_work_is_waited_for(hq: Hq, seller: Seller) -> None:
    seller.put()
    with hold(replica_path(hq.directory, "fr").with_name("publish.lock")):
        assert go(hq) == []
    assert go(hq) == [2]


@pytest.fixture
def supplied(hq: Hq, seller: Seller) -> Hq:
    """A market in which a seller has twenty listings on sale."""
    many(seller, 20)
    go(hq)
    log_in(hq)
    return hq


def test_prices_that_jump_in_numbers_wait_until_somebody_lets_them_go(supplied: Hq, seller: Seller) -> None:
    many(seller, 20, price="99.00")
    seller.put("M-20")

    assert go(supplied) == [3], "what is new goes all the same"

    assert [cents for cents, _ in published(supplied).values()].count(35900) == 21
    page = words(supplied.client.get("/console/trials/"))
    assert "Retenu : à regarder avant publication" in page
    assert "Atelier Loire" in page
    assert "prix : 20 · disponibilités : 0" in page
    assert "changements de vendeurs retenus : 20" in words(supplied.client.get("/console/"))
    look = words(supplied.client.post("/console/trials/fr/outlooks", data={"act": "release"}))
    assert "Laisser partir ce qui est retenu dans FR" in look
    assert "−72 %" in look
    assert go(supplied) == []
    assert supplied.client.post("/console/trials/fr/releases").status_code == 303
    assert [cents for cents, _ in published(supplied).values()].count(9900) == 20
    assert origins(supplied) == []
    assert "Retenu" not in words(supplied.client.get("/console/trials/"))


def test_a_held_price_stays_held_however_often_its_seller_touches_it(supplied: Hq, seller: Seller) -> None:
    many(seller, 20, price="99.00")
    assert go(supplied) == []

    seller.patch("M-0", price="98.00")
    sold_out = seller.patch("M-1", quantity=0).json["listing_id"]  # type: ignore[index]
    mended = seller.patch("M-2", price="349.00").json["listing_id"]  # type: ignore[index]
    assert go(supplied) == [3]

    assert published(supplied)[sold_out] == (35900, 0), "what sold out goes at once, its price does not"
    assert published(supplied)[mended] == (34900, 4)
    assert [cents for cents, _ in published(supplied).values() if cents < 10000] == []
    assert [origin for _, origin in origins(supplied)] == ["held"] * 19
    log_in(supplied)
    assert supplied.client.post("/console/trials/fr/releases").status_code == 303
    assert origins(supplied) == []


def test_offers_that_vanish_in_numbers_wait_and_come_back_by_themselves(supplied: Hq, seller: Seller) -> None:
    for number in range(20):
        seller.patch(f"M-{number}", paused=True)
    assert go(supplied) == []
    assert "prix : 20 · disponibilités : 20" in words(supplied.client.get("/console/trials/"))
    assert len(published(supplied)) == 24
    for number in range(20):
        seller.patch(f"M-{number}", paused=False)
    go(supplied)
    assert origins(supplied) == []


def test_a_few_that_jump_or_vanish_are_a_seller_s_day(supplied: Hq, seller: Seller) -> None:
    for number in range(4):
        seller.patch(f"M-{number}", paused=True)
    seller.patch("M-5", price="99.00")
    assert go(supplied) == [3]
    assert origins(supplied) == []


def test_releasing_where_nothing_is_held_changes_nothing(hq: Hq) -> None:
    log_in(hq)
    run_tx(hq.engine, _mark)
    assert "Rien ne changerait" in words(hq.client.post("/console/trials/fr/outlooks", data={"act": "release"}))
    assert hq.client.post("/console/trials/fr/releases").status_code == 303
    assert origins(hq) == [("listing", HQ)]
    assert hq.client.post("/console/trials/de/releases").status_code == 404


def _mark(connection: Any) -> None:
    marks = Marks()
    marks.add("fr", "listing", 11)
    marks.write(connection)
