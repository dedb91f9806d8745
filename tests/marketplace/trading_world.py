"""The world of a trading marketplace: four currencies and sellers, two categories, plans that pay all, a part or nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from marketplace.db import run_tx
from marketplace.feeds.imports import Imported, import_feed
from marketplace.installation import sync_path
from marketplace.money.payouts import PayoutTerms, set_payout_terms
from marketplace.money.provider import ProviderSettings, store_settings
from pos.currencies import decimal
from tests.marketplace import world
from tests.marketplace.hq import Hq, quiet

MARKETS: dict[str, dict[str, Any]] = world.TWO_MARKETS | {
    "jp": {"currency": "JPY", "languages": ["en"], "tax_included": True},
    "kw": {"currency": "KWD", "languages": ["en"], "tax_included": True},
}
CURRENCIES = {name: str(market["currency"]) for name, market in MARKETS.items()}
SELLERS = (1, 2, 3, 4)
PRICES = {
    "EUR": ("369.00", "372.01", "0.07", "409.99", "249.35", "350.00"),
    "USD": ("369.00", "333.33", "0.01", "410.50", "199.99", "301.07"),
    "JPY": ("36900", "37201", "7", "40999", "24935", "33333"),
    "KWD": ("112.345", "113.001", "0.007", "120.999", "75.555", "99.990"),
}
"""Of each currency, by place: four iPhones in GOOD of one seller each but the fourth, which is EXCELLENT, and two headphones."""
PLACES = (
    (1, 1, "GOOD", "5"),
    (2, 1, "GOOD", "3"),
    (3, 1, "GOOD", "2"),
    (4, 1, "EXCELLENT", "1"),
    (1, 2, "GOOD", "4"),
    (3, 2, "GOOD", "2"),
)
SHIPPING_CENTS = 490
WITH_DISCOUNT, IN_INSTALMENTS, FOR_NOTHING = 2, 3, 4


def supply() -> dict[int, dict[str, str]]:
    """Return the listings: 10 × market + place, markets from 1."""
    listings = {}
    for number, (market, currency) in enumerate(CURRENCIES.items(), start=1):
        for place, (seller_id, sku_id, grade, quantity) in enumerate(PLACES):
            listings[10 * number + place] = {
                "seller_id": str(seller_id), "sku_id": str(sku_id), "grade": grade, "price": PRICES[currency][place],
                "quantity": quantity, "market": market, "currency": currency,
                "shipping_price": decimal(SHIPPING_CENTS if place == 1 else 0, currency),
                "vat_type": "REGULAR" if place == 4 else "MARGINAL",
            }  # fmt: skip
    return listings


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return the small world with more of everything that money depends on."""
    made = world.world()
    headphones = {**copy.deepcopy(made["categories"][0]), "category_id": "headphones", "rank": 2, "form": "headphones"}
    made["categories"].append({**headphones, "name": world.both("Casques", "Headphones"), "levy": None, "co2": None})
    made["skus"][1] |= {
        "category_id": "headphones",
        "sku": "AIRPODS-MAX-BLUE",
        "model": "AirPods Max",
        "storage_gb": None,
        "specs": {},
    }
    made["sellers"] = [world.seller(seller_id, f"Atelier {seller_id}", 100 * seller_id) for seller_id in SELLERS]
    made["plans"] += [
        world.plan(IN_INSTALMENTS, "Étalé", instalment_months=24),
        world.plan(FOR_NOTHING, "Offert", device_discount_cents=99_900, min_device_cents=0),
        world.plan(10, "Paid over time", market="us", partner_id="visible", instalment_months=24, min_device_cents=0),
        world.plan(11, "Free", market="us", partner_id="visible", **world.LIBRE),
    ]
    made["partners"].append({**made["partners"][0], "partner_id": "visible", "market": "us", "name": "Visible"})
    laws = list(made["laws"])
    for market in ("us", "jp", "kw"):
        made["laws"] += [{**law, "law_id": f"{market}-{law['law_id']}", "market": market} for law in laws]
    for prefix, rate_ppm in (("1", 40_000), ("101", 88_750)):
        tax = world.law(f"tax-{prefix}", "sales_tax", {"zip_prefix": prefix, "rate_ppm": rate_ppm})
        made["laws"].append({**tax, "market": "us"})
    return made


class TradingHq(Hq):
    """A marketplace of that world, founded once for all histories; money can be taken."""

    def import_world(self, changed: Any = None, **listings: Any) -> Imported:
        self.feeds += 1
        feed = world.write_feed(self.directory / f"feed{self.feeds}", rows(), supply(), markets=MARKETS)
        imported = import_feed(self.engine, feed, static=sync_path(self.directory), progress=quiet)
        stored = ProviderSettings(key="sk_test_1", webhook_secret="whsec_1", api="http://127.0.0.1:9")
        run_tx(self.engine, lambda connection: store_settings(connection, stored))
        terms = PayoutTerms(
            holder="Atelier",
            iban="FR7630006000011234567890189",
            is_held=False,
            reserve_bp=0,
            reserve_until=None,
            least_cents=None,
        )
        for seller_id in SELLERS:
            kept = replace(terms, reserve_bp=1000, reserve_until="2026-12-20") if seller_id == 2 else terms
            run_tx(self.engine, lambda connection, kept=kept, seller_id=seller_id: set_payout_terms(connection, seller_id, kept))
        return imported
