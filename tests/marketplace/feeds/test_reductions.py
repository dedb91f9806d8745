"""A reduction starts from the seller's own lowest price of 30 days for the same goods: a listing's id changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from marketplace.feeds.imports import Imported, import_feed
from marketplace.feeds.problems import FeedRefused
from marketplace.installation import sync_path
from pos import clock
from tests.marketplace import world
from tests.marketplace.hq import Hq, quiet

NO_HISTORY = "this seller published no price for this SKU and grade in 30 days: nothing to reduce from (L112-1-1)"
GOOD = {"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": "329.00", "prior_price": "369.00"}


def imported(hq: Hq, *, markets: dict[str, Any] = world.MARKETS, **listings: dict[str, str] | None) -> Imported:
    hq.feeds += 1
    feed = world.write_feed(hq.directory / f"reduced{hq.feeds}", None, world.listings(**listings), markets=markets)
    return import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)


def refusal(hq: Hq, **listings: dict[str, str] | None) -> str:
    """Import a feed that one reason speaks against, and return it."""
    with pytest.raises(FeedRefused) as refused:
        imported(hq, **listings)
    [problem] = refused.value.data["problems"]
    assert (problem["file"], problem["field"]) == ("listings.csv", "prior_price")
    return str(problem["reason"])


def test_under_a_new_id_the_history_of_the_same_goods_counts(hq: Hq) -> None:
    above = "above 369.00, the lowest price published in 30 days (L112-1-1)"
    assert refusal(hq, l11=None, l99=GOOD | {"prior_price": "999.00"}) == above
    assert imported(hq, l11=None, l99=GOOD).added == {"listing": 1}


def test_a_reduction_goes_on_under_a_new_id(hq: Hq) -> None:
    hq.change(l11={"price": "329.00", "prior_price": "369.00"})
    assert imported(hq, l11=None, l99=GOOD | {"price": "319.00"}).added == {"listing": 1}


@pytest.mark.parametrize(
    "other",
    [{"seller_id": "2", "grade": "EXCELLENT"}, {"sku_id": "2"}, {"grade": "FAIR"}],
    ids=["another seller's", "another SKU's", "another grade's"],
)
def test_without_a_history_of_the_very_goods_there_is_no_reduction(hq: Hq, other: dict[str, str]) -> None:
    assert refusal(hq, l99=GOOD | other) == NO_HISTORY


def test_a_listing_that_turns_to_other_goods_takes_no_history_along(hq: Hq) -> None:
    assert refusal(hq, l11={"grade": "FAIR", "price": "329.00", "prior_price": "369.00"}) == NO_HISTORY
    hq.change(l11={"grade": "FAIR"})
    assert refusal(hq, l11={"grade": "GOOD", "price": "329.00", "prior_price": "379.00"}).startswith("above 369.00")


def test_the_lowest_of_all_the_seller_s_listings_of_the_goods_counts(hq: Hq) -> None:
    hq.change(l99=GOOD | {"price": "299.00", "prior_price": ""})
    reason = refusal(hq, l11={"price": "289.00", "prior_price": "369.00"})
    assert reason.startswith("above 299.00")


def test_goods_withdrawn_for_longer_than_thirty_days_have_no_history(hq: Hq) -> None:
    hq.change(l11=None)
    with time_machine.travel(clock.now() + timedelta(days=31)):
        assert refusal(hq, l11=GOOD) == NO_HISTORY


def test_the_first_feed_of_a_market_brings_its_prior_prices_along(hq: Hq) -> None:
    american = {"seller_id": "1", "sku_id": "2", "grade": "GOOD", "market": "us", "currency": "USD"}
    reduced = american | {"price": "229.00", "prior_price": "269.00"}
    assert imported(hq, markets=world.TWO_MARKETS, l99=reduced).added["listing"] == 1
    assert refusal(hq, l98=GOOD | {"sku_id": "2"}) == NO_HISTORY


def test_a_listing_that_is_not_on_sale_is_judged_when_it_comes_on_sale(hq: Hq) -> None:
    waiting = GOOD | {"sku_id": "2", "state": "offline"}
    assert imported(hq, l99=waiting).added == {"listing": 1}
    assert refusal(hq, l99=waiting | {"state": "online"}) == NO_HISTORY
