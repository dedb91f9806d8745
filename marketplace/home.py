"""`/` and `/home`: the shop's first page at home, where a search, the categories, and the way in with a slip stand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from flask import Blueprint, Response
from sqlite_utils import Database

from pos import claims, offers, skus
from pos.bodies import Names, read_body
from pos.laws import Guarantees, guarantees, laws_on
from pos.offers import Rung
from pos.skus import Card, CategoryChoice
from shop import door, web

routes = Blueprint("home", __name__)

SHOWN_OFFERS = 4
FIRST_CARDS = 18
"""The page of the list that a visitor sees next: it is read once for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPage:
    """The first page at home. `prices` are the lowest of each category; `co2` is the first category with a figure, and that."""

    categories: list[CategoryChoice]
    prices: dict[str, int]
    offers: list[tuple[Card, Rung]]
    promises: Guarantees
    co2: tuple[Names, claims.Co2] | None
    published_at: str | None


@routes.get("/")
@routes.get("/home")
def home() -> Response:
    """Show the search, the categories of the visitor's market and what is most offered in different ones."""
    catalog = door.catalog()
    among = door.visitor().categories
    published = catalog.execute("select value from catalog_fact where name = 'published_at'").fetchone()
    shown = FrontPage(
        categories=skus.offered_categories(catalog, among),
        prices=skus.lowest_prices(catalog),
        offers=_offers(catalog),
        promises=guarantees(laws_on(catalog, door.today())),
        co2=_co2(catalog, among),
        published_at=published[0] if published else None,
    )
    return web.page("marketplace/home.html", home=shown)


def _offers(catalog: Database) -> list[tuple[Card, Rung]]:
    """Return the devices most offered, one a category while there are enough, each with its least dear rung."""
    cards = skus.browse(catalog, skus.Query(among=door.visitor().categories), limit=FIRST_CARDS).cards
    before: Counter[str] = Counter()
    places = {}
    for card in cards:
        places[card["sku_id"]] = before[card["category_id"]]
        before[card["category_id"]] += 1
    varied = sorted(cards, key=lambda card: places[card["sku_id"]])[:SHOWN_OFFERS]
    return [(card, rung) for card in varied if (rung := _least_dear(catalog, card["sku_id"]))]


def _least_dear(catalog: Database, sku_id: int) -> Rung | None:
    on_offer = [rung for rung in offers.ladder(catalog, sku_id) if rung.offer is not None]
    return min(on_offer, key=lambda rung: rung.offer.all_in_cents if rung.offer else 0, default=None)


def _co2(catalog: Database, among: tuple[str, ...]) -> tuple[Names, claims.Co2] | None:
    rows = catalog.execute("select category_id, body from shown_category order by rank, category_id")
    kinds = [read_body(text) for category_id, text in rows if not among or category_id in among]
    return next(((kind["name"], figure) for kind in kinds if (figure := claims.co2_avoided(kind))), None)
