from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from marketplace.feeds.content import DESK_SELLERS_FROM
from marketplace.feeds.problems import FeedRefused
from marketplace.sellers.standing import NOTICE, close_due_sellers
from pos import clock
from tests.marketplace import world
from tests.marketplace.hq import Hq, words
from tests.marketplace.sellers.applicants import admitted, decide, listing_of, log_in


def state(hq: Hq, seller_id: int) -> tuple[str, int]:
    [seller] = hq.rows("select state, suspended from seller where seller_id = :seller_id", seller_id=seller_id)
    return seller["state"], seller["suspended"]


def test_a_suspended_seller_has_no_offer_and_comes_back(hq: Hq) -> None:
    seller_id = admitted(hq)
    listing_of(hq, seller_id, price_cents=19900)
    hq.write("insert into sync_dirty (market, table_name, row_key, gen) values ('fr', 'listing', '9001', 1)")
    hq.write("insert into sync_dirty (market, table_name, row_key, gen) values ('fr', 'stock', '9001', 1)")
    hq.publish()
    assert "Renouveau" in hq.client.get("/sku/IPHONE-13-128-BLUE").text

    assert decide(hq, seller_id, "suspended").status_code == 303
    assert state(hq, seller_id) == ("suspended", 1)
    hq.publish()
    assert "Renouveau" not in hq.client.get("/sku/IPHONE-13-128-BLUE").text
    assert decide(hq, seller_id, "warned").status_code == 409, "nobody is warned out of a suspension"

    assert decide(hq, seller_id, "active").status_code == 303
    hq.publish()
    assert "Renouveau" in hq.client.get("/sku/IPHONE-13-128-BLUE").text


def test_a_seller_is_closed_after_thirty_days_and_no_earlier(hq: Hq) -> None:
    seller_id, now = admitted(hq), clock.now()
    decide(hq, seller_id, "closed")
    assert state(hq, seller_id) == ("trial", 0)
    assert "Préavis" in words(hq.client.get(f"/console/sellers/{seller_id}"))
    assert close_due_sellers(hq.engine, now=now + NOTICE - timedelta(minutes=1)) == 0
    assert close_due_sellers(hq.engine, now=now + NOTICE + timedelta(minutes=1)) == 1
    assert state(hq, seller_id) == ("closed", 1)
    assert close_due_sellers(hq.engine, now=now + 2 * NOTICE) == 0
    assert decide(hq, seller_id, "active").status_code == 409, "closed is for good"


def test_a_notice_can_be_withdrawn_by_letting_the_seller_stay(hq: Hq) -> None:
    seller_id, now = admitted(hq), clock.now()
    assert decide(hq, seller_id, "trial").status_code == 409
    decide(hq, seller_id, "active")
    decide(hq, seller_id, "closed")
    with time_machine.travel(now + timedelta(days=2)):
        log_in(hq)
        assert decide(hq, seller_id, "active").status_code == 303
    assert close_due_sellers(hq.engine, now=now + 2 * NOTICE) == 0
    assert state(hq, seller_id) == ("active", 0)


def test_every_change_is_a_row_with_its_reasons_and_its_moment(hq: Hq) -> None:
    seller_id = admitted(hq)
    decide(hq, seller_id, "warned", facts="Trois envois en retard.")
    kept = hq.rows("select step_no, state, by, facts, rule, remedy from seller_step order by step_no")
    assert [(step["step_no"], step["state"], step["by"]) for step in kept] == [(1, "trial", "hq"), (2, "warned", "hq")]
    assert all(step["facts"] and step["rule"] and step["remedy"] for step in kept)


def test_hq_decides_about_no_seller_of_a_feed(hq: Hq) -> None:
    log_in(hq)
    assert "son flux parle pour lui" in words(hq.client.get("/console/sellers/1"))
    assert decide(hq, 1, "suspended").status_code == 409
    assert state(hq, 1) == ("active", 0)
    assert hq.client.get("/console/sellers/77").status_code == 404


def test_an_import_leaves_sellers_with_a_desk_and_their_listings_alone(hq: Hq) -> None:
    seller_id = admitted(hq)
    listing_of(hq, seller_id)
    hq.write(
        "insert into price_start values (:seller_id, '9001-2030', 'fr', 9001, '2030-01-01T00:00:00Z', 30000, null)",
        seller_id=seller_id,
    )
    of_desk = [f"select * from {table} where seller_id = {seller_id}" for table in ("seller", "listing", "price_start")]
    before = [hq.rows(query) for query in of_desk]

    imported = hq.import_world(l13=None)

    assert [hq.rows(query) for query in of_desk] == before
    assert imported.removed == {"listing": 1}
    assert hq.rows("select state from listing where listing_id = 13") == [{"state": "withdrawn"}]


def test_a_feed_speaks_for_nobody_with_a_desk(hq: Hq) -> None:
    hq.write("update seller set source = 'desk' where seller_id = 2")
    with pytest.raises(FeedRefused, match="seller 2 has a desk and speaks for itself"):
        hq.import_world()
    rows = world.world()
    rows["sellers"].append(world.seller(DESK_SELLERS_FROM, "Personne", 0))
    with pytest.raises(FeedRefused, match="ids from 1000000000 on are those of sellers with a desk"):
        hq.import_world(rows)


def test_a_feed_cannot_take_the_listing_of_a_seller_with_a_desk(hq: Hq) -> None:
    seller_id = admitted(hq)
    listing_of(hq, seller_id, listing_id=14)
    with pytest.raises(FeedRefused, match=f"belongs to seller {seller_id}"):
        hq.import_world(l14={"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": "300.00"})
