"""`/seller/listings`: a seller's listings at the desk: found, changed, paused, a held price confirmed, and where each stands.

Invariant: a listing is changed by the very rules of files and of the API (`verdicts`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.money.statement_files import sent_table
from marketplace.sellers.contests import Contest, contests
from marketplace.sellers.fields import FieldProblem, fold_sku
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.sellers.listing_files import listing_table
from marketplace.sellers.listings import STANDINGS, OwnListing, home_market, own_listing_of, page_of_listings
from marketplace.sellers.trade import SellingRules, selling_rules, sku_facts
from marketplace.sellers.verdicts import SentRow, take_rows
from marketplace.web import marketplace, see_other
from pos import clock
from pos.currencies import decimal
from pos.errors import NotFound
from pos.locales import LOCALES
from pos.shapes import UNPRINTABLE
from shop import door
from shop.web import render_template

PAGE = 50
listings = Blueprint("listings", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownListing:
    """A listing as the desk shows it: with its product (`sku_facts`), its grade's names by language, and its contest."""

    own: OwnListing
    product: Mapping[str, Any]
    grade: Mapping[str, str]
    currency: str
    contest: Contest


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingsPage:
    """Listings of a market in one standing or all whose SKU contains `q`; `following` leads on, None on the last page."""

    listings: list[ShownListing]
    markets: list[str]
    market: str
    standing: str
    q: str
    following: str | None

    standings = tuple(STANDINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPage:
    """One listing; `is_kept` after a change, `problems` are why nothing was changed, `form` what had been typed."""

    listing: ShownListing
    is_kept: bool
    problems: tuple[FieldProblem, ...]
    form: Mapping[str, str]


@listings.get("/listings")
def listing() -> str:
    """Show the seller's listings of a market in the order of their SKUs."""
    seller_id, asked = signed_in_seller().seller_id, request.args
    q, after = (asked.get(name, "") if not UNPRINTABLE.search(asked.get(name, "")) else "" for name in ("q", "after"))
    with reading(marketplace().engine) as connection:
        trade = selling_rules(connection)
        market = asked.get("market", "")
        market = market if market in trade.currencies else home_market(connection, seller_id, trade.currencies)
        standing = asked.get("standing", "") if asked.get("standing") in STANDINGS else ""
        owns = page_of_listings(connection, seller_id, market=market, after=after, limit=PAGE + 1, q=q, standing=standing)
        shown = _shown(connection, owns[:PAGE], trade)
    following = fold_sku(owns[PAGE - 1].sku) if len(owns) > PAGE else None
    names = list(trade.currencies)
    page = ListingsPage(listings=shown, markets=names, market=market, standing=standing, q=q, following=following)
    return render_template("marketplace/sellers/listings.html", page=page)


@listings.get("/listings.csv")
def table() -> Response:
    """Download the listings of a market as a file that may be changed and sent back."""
    seller_id, market = signed_in_seller().seller_id, request.args.get("market", "")
    with reading(marketplace().engine) as connection:
        trade = selling_rules(connection)
        if market not in trade.currencies:
            raise NotFound("not a market")
        written = listing_table(connection, seller_id, market, trade)
    return sent_table(written, f"listings-{market}.csv")


@listings.get("/listings/<int:listing_id>")
def one(listing_id: int) -> str:
    """Show one listing, why the winner wins, and at what price this one would."""
    return _one(listing_id, (), {})


@listings.post("/listings/<int:listing_id>")
@desk_role("owner")
def change(listing_id: int) -> Response | tuple[str, int]:
    """Change price, stock and whether it is paused."""
    form = request.form
    said = {name: form[name] for name in ("price", "quantity") if name in form}
    return _change(listing_id, {**said, "paused": form.get("paused", "0")})


@listings.post("/listings/<int:listing_id>/confirmation")
@desk_role("owner")
def confirmation(listing_id: int) -> Response | tuple[str, int]:
    """Put a held price on sale."""
    return _change(listing_id, {"confirm_price": "1"})


def _change(listing_id: int, fields: dict[str, str]) -> Response | tuple[str, int]:
    seller_id = signed_in_seller().seller_id

    def work(connection: Connection) -> tuple[FieldProblem, ...]:
        own = own_listing_of(connection, seller_id, listing_id)
        sent = SentRow(0, {**fields, "sku": own.sku, "market": own.supply.market})
        [verdict] = take_rows(connection, seller_id, [sent], market=own.supply.market, now=clock.now())
        return verdict.problems if verdict.outcome == "refused" else ()

    problems = run_tx(marketplace().engine, work)
    if problems:
        return _one(listing_id, problems, fields), 422
    return see_other("desk.listings.one", listing_id=listing_id, kept=1)


def _one(listing_id: int, problems: tuple[FieldProblem, ...], form: Mapping[str, str]) -> str:
    seller_id = signed_in_seller().seller_id
    with reading(marketplace().engine) as connection:
        own = own_listing_of(connection, seller_id, listing_id)
        [shown] = _shown(connection, [own], selling_rules(connection))
    price = decimal(own.supply.price_cents, shown.currency).replace(".", LOCALES[door.visitor().language].decimal)
    typed = form or {"price": price, "quantity": str(own.supply.quantity)}
    page = ListingPage(listing=shown, is_kept="kept" in request.args and not problems, problems=problems, form=typed)
    return render_template("marketplace/sellers/listing.html", page=page)


def _shown(connection: Connection, owns: Collection[OwnListing], trade: SellingRules) -> list[ShownListing]:
    products = sku_facts(connection, {own.supply.sku_id for own in owns})
    standing = contests(connection, owns)
    unknown: dict[str, Any] = {"product": "", "ean": None, "title": "", "name": "", "storage_gb": None, "color": {}}
    return [
        ShownListing(
            own=own,
            product=products.get(own.supply.sku_id, unknown),
            grade=trade.names_of(own.supply.grade_id),
            currency=trade.currencies.get(own.supply.market, "EUR"),
            contest=contest,
        )
        for own, contest in zip(owns, standing, strict=True)
    ]
