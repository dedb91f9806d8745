"""One offer wins a device in a grade, at any version the same one: for the kiosk, in the shop and over the seller API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketplace.db import run_tx
from marketplace.money.fees import FeeRule, add_rule
from marketplace.orders.stock import LinesGone, reserve
from marketplace.publishing.by_itself import publish_supply
from pos import clock
from pos.offers import ladder, winning_offer
from sync.corner.mirrors import open_trust
from sync.follower import Subscription, follow
from tests.amounts import amount
from tests.marketplace import world
from tests.marketplace.hq import CopiedHq, Hq
from tests.marketplace.sellers.selling import Seller
from tests.sync.conftest import Kiosk, Line

EANS = {1: "4006381333931", 2: "5901234123457"}
CODES = {1: "IPHONE-13-128-BLUE", 2: "IPHONE-12-128-BLUE"}
GRADES = ("PREMIUM", "EXCELLENT", "GOOD", "FAIR")
FLOORS = {9: 85, 10: 80, 11: 80, 12: 80}
OWN = (("A-1", 1), ("A-2", 1), ("A-3", 2))
SAID = st.fixed_dictionaries(
    {
        "grade": st.sampled_from(("GOOD", "GOOD", "EXCELLENT")),
        "price": st.sampled_from(("369.00", "369.01", "364.10", "359.00", "5000.00")),
        "shipping_price": st.sampled_from(("0.00", "4.90", "10.00")),
        "quantity": st.integers(0, 2),
        "shipping_delay": st.sampled_from((48, 72)),
        "battery": st.sampled_from((79, 80, 91)),
    }
)
FEED = st.fixed_dictionaries(
    {
        "price": st.sampled_from(("369.00", "364.10", "359.00")),
        "quantity": st.sampled_from(("0", "1", "5")),
        "state": st.sampled_from(("online", "online", "offline")),
    }
)
Key = tuple[int, int]


@pytest.mark.long
@settings(
    max_examples=amount("histories of offers"),
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # Every example publishes several times: making a failure smaller takes minutes.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_one_offer_wins_at_any_version_everywhere_the_same(founded: Hq, data: st.DataObject) -> None:
    with watched(founded) as watch:
        for version in range(data.draw(st.integers(1, 4))):
            for _ in range(data.draw(st.integers(1, 4))):
                watch.change(data, version)
            watch.publish(is_all=data.draw(st.booleans()))
            watch.look()


def test_fees_move_no_offer(founded: Hq) -> None:
    with watched(founded) as watch:
        watch.sellers[1].put()
        watch.publish(is_all=True)
        before = watch.look()
        watch.add_fee(seller_id=1)
        watch.sellers[1].put(quantity=3)
        watch.publish(is_all=True)
        assert watch.look() == before
        assert before[1, 11] == watch.sellers[1].on_sale()[0]["listing_id"]


class Watch:
    """A marketplace with two sellers' programs, and a kiosk that follows it."""

    def __init__(self, hq: Hq, kiosk: Kiosk) -> None:
        self.hq, self.kiosk, self.fees = hq, kiosk, 0
        self.sellers = {seller_id: Seller(hq, seller_id) for seller_id in (1, 2)}

    def change(self, data: st.DataObject, version: int) -> None:
        """Let a seller, HQ's feed or a customer change something that may decide who wins, or a fee, which may not."""
        what = data.draw(st.sampled_from(("put", "put", "put", "feed", "order", "fee")))
        seller_id = data.draw(st.sampled_from((1, 2)))
        if what == "put":
            sku, sku_id = data.draw(st.sampled_from(OWN))
            self.sellers[seller_id].put(sku, ean=EANS[sku_id], confirm_price=True, **data.draw(SAID))
        elif what == "feed":
            status = data.draw(st.sampled_from(("active", "active", "suspended")))
            rows = world.world()
            cancel_bp = data.draw(st.sampled_from((80, 200)))
            rows["sellers"][seller_id - 1] = world.seller(seller_id, f"Atelier {seller_id}", cancel_bp, status)
            self.hq.import_world(rows, l11=data.draw(FEED), l12=data.draw(FEED))
        elif what == "order":
            line = data.draw(st.sampled_from(self.hq.rows("select seller_id, listing_id from listing order by listing_id")))
            try:
                run_tx(self.hq.engine, lambda connection: reserve(connection, "fr", [{**line, "line_no": 1, "quantity": 1}]))
            except LinesGone:
                return
        else:
            self.add_fee(seller_id)

    def add_fee(self, seller_id: int) -> None:
        self.fees += 1
        fee = FeeRule(
            rule_id=f"fee-{self.fees}", name="commission", seller_id=seller_id, category_id=None, market=None, currency="EUR",
            rate_bp=9000, fixed_cents=0, least_cents=None, most_cents=None, valid_to=None,
            valid_from=clock.to_text(clock.now() + timedelta(days=1))[:10],
        )  # fmt: skip
        now = clock.to_text(clock.now())
        run_tx(self.hq.engine, lambda connection: add_rule(connection, fee, today=now[:10], at=now))

    def publish(self, *, is_all: bool) -> None:
        """Publish what goes by itself, then all of it where HQ does so too, and let the kiosk follow."""
        publish_supply(self.hq.engine, self.hq.directory)
        if is_all:
            self.hq.publish()
        follow(self.kiosk.catalog, self.kiosk.trust, Subscription(market="fr"), now=clock.now())
        if is_all:
            assert self.winners(self.published()) == self.winners(self.at_hq()), "what is published is what HQ has"

    def look(self) -> dict[Key, int]:
        """Return who wins each device and grade, the same wherever it is asked."""
        told = self.winners(self.published())
        catalogue = self.kiosk.catalog.read()
        rungs = {(sku_id, rung.grade["grade_id"]): rung.offer for sku_id in CODES for rung in ladder(catalogue, sku_id)}
        assert {key: offer.listing_id for key, offer in rungs.items() if offer} == told
        for key in rungs:
            offer = winning_offer(catalogue, *key)
            assert (offer.listing_id if offer else None) == told.get(key)
        assert self.in_shop() == told
        assert self.over_api() == set(told.values()) & self.own_ids()
        return told

    def in_shop(self) -> dict[Key, int]:
        """Return what the public shop's pages put into a selection; one asked for a grade nobody offers shows another."""
        shown: dict[Key, set[int]] = {}
        for sku_id, code in CODES.items():
            for grade in GRADES:
                page = self.hq.client.get(f"/sku/{code}?grade={grade}").text
                for listing_id in re.findall(r'name="listing" value="(\d+)"', page):
                    [found] = [listing for listing in self.published() if listing["listing_id"] == int(listing_id)]
                    shown.setdefault((sku_id, found["grade_id"]), set()).add(int(listing_id))
                    assert found["sku_id"] == sku_id
        assert all(len(listings) == 1 for listings in shown.values())
        return {key: listings.pop() for key, listings in shown.items()}

    def own_ids(self) -> set[int]:
        return {row["listing_id"] for seller in self.sellers.values() for row in seller.on_sale()}

    def over_api(self) -> set[int]:
        """Return the listings that the sellers' API calls winners."""
        answers = [seller.ask("GET", f"/listings/{sku}").json or {} for seller in self.sellers.values() for sku, _ in OWN]
        return {answer["listing_id"] for answer in answers if answer.get("wins")}

    def published(self) -> list[dict[str, Any]]:
        """Return every listing as the kiosk holds it, with its seller."""
        query = """
            select listing.*, coalesce(stock.quantity, 0) as units, seller.quality_bp, seller.suspended
            from listing join seller using (seller_id) left join stock using (listing_id)
        """
        return list(self.kiosk.catalog.read().query(query))

    def at_hq(self) -> list[dict[str, Any]]:
        """Return every listing on sale as HQ has it, with its seller."""
        query = """
            select listing.*, listing.quantity - listing.reserved as units, seller.quality_bp, seller.suspended
            from listing join seller on seller.seller_id = listing.seller_id where listing.state = 'online'
        """
        return self.hq.rows(query)

    @staticmethod
    def winners(listings: list[dict[str, Any]]) -> dict[Key, int]:
        """Choose by the rules of domain.md §2, in the plainest way."""
        best: dict[Key, tuple[int, ...]] = {}
        for listing in listings:
            if listing["units"] < 1 or listing["suspended"] or (listing["battery_pct"] or 100) < FLOORS[listing["grade_id"]]:
                continue
            cents = listing["price_cents"] + listing["shipping_cents"]
            score = listing["quality_bp"] * 1_000_000 // cents
            rank = (-score, cents, listing["delivery_days"], listing["seller_id"], listing["listing_id"])
            key = listing["sku_id"], listing["grade_id"]
            best[key] = min(best.get(key, rank), rank)
        return {key: rank[-1] for key, rank in best.items()}


@contextmanager
def watched(founded: Hq) -> Iterator[Watch]:
    """Lend a copy of a marketplace and a kiosk beside it."""
    directory = Path(mkdtemp(prefix="winners-"))
    (directory / "kiosk").mkdir()
    with closing(CopiedHq(founded, directory / "hq")) as hq:
        kiosk = Kiosk(directory / "kiosk", Line(hq.directory / "sync"))
        kiosk.trust = open_trust(kiosk.directory, kiosk.ops, kiosk.client, now=clock.now)
        try:
            yield Watch(hq, kiosk)
        finally:
            kiosk.catalog.close()
            kiosk.ops.close()
    rmtree(directory)
