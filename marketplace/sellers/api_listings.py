"""`/api/v1/listings`: a seller's listings by the seller's own SKU, read, put whole, or changed in part."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from marketplace.sellers.api import ApiQuery, ApiShape, answer_once, answered, caller, looking, new_routes
from marketplace.sellers.contests import contests
from marketplace.sellers.fields import HOURS, MOST_DELAY_H, WrongField, fold_sku, seller_sku
from marketplace.sellers.keys import ApiKey
from marketplace.sellers.listings import OwnListing, home_market, own_listing, page_of_listings
from marketplace.sellers.trade import SellingRules, selling_rules, sku_facts
from marketplace.sellers.verdicts import NEEDED, SentRow, take_rows
from pos import clock
from pos.currencies import decimal
from pos.errors import NotFound, Refused
from pos.shapes import UNPRINTABLE

PAGE = 100
Price = Annotated[str, Field(pattern=r"^\d{1,7}([.]\d{1,3})?$", examples=["369.00"], description="A decimal text.")]
UNSAID = {
    "min_price": "",
    "max_price": "",
    "shipping_price": "0",
    "battery": "",
    "new_battery": "0",
    "comment": "",
    "paused": "0",
}
"""What a listing that is put whole has where its body says nothing."""


class ListingRefused(Refused):
    """The listing was not taken, and what was there is as it was; `data["fields"]` says why."""


class ListingPath(ApiQuery):
    """The seller's own SKU; case does not count."""

    sku: str


class MarketQuery(ApiQuery):
    """The market; that of the seller's country where none is named."""

    market: str = ""


class PageQuery(MarketQuery):
    """Where the next page begins, as the one before said it."""

    cursor: str = ""


class ListingBody(ApiShape):
    """What a seller says of a listing. A new one needs its product, a grade, price, quantity, warranty, delay and VAT type."""

    ean: str = ""
    product: Annotated[str, Field(description="Our own SKU code, in the place of an EAN.")] = ""
    title: Annotated[str, Field(description="Our title, in the place of both.")] = ""
    grade: Annotated[str, Field(examples=["GOOD"], description="PREMIUM, EXCELLENT, GOOD or FAIR.")] = ""
    price: Price = ""
    currency: str = ""
    min_price: Price | None = None
    max_price: Price | None = None
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    warranty_delay: Annotated[int, Field(ge=12, le=120, description="Months.")] = 12
    shipping_price: Price = "0.00"
    shipping_delay: Annotated[int, Field(ge=0, le=MOST_DELAY_H, description="Hours.")] = 0
    vat_type: Literal["REGULAR", "MARGINAL"] = "REGULAR"
    battery: Annotated[int | None, Field(ge=1, le=100, description="Percent.")] = None
    new_battery: bool = False
    comment: Annotated[str, Field(max_length=500)] = ""
    paused: bool = False
    confirm_price: Annotated[bool, Field(description="True: a price that jumped is meant.")] = False

    def texts(self) -> dict[str, str]:
        """Return the fields that are said, as a file would say them."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return {
            name: "" if value is None else str(int(value) if isinstance(value, bool) else value) for name, value in said.items()
        }


class ListingAnswer(BaseModel):
    """A listing as it stands: `price` is on sale, `held_price` waits to be confirmed, `reserved` of `quantity` are ordered."""

    sku: str
    market: str
    listing_id: int
    product: str
    ean: str | None
    title: str
    grade: str
    price: str
    currency: str
    min_price: str | None
    max_price: str | None
    held_price: str | None
    quantity: int
    reserved: int
    warranty_delay: int
    shipping_price: str
    shipping_delay: int
    vat_type: str
    battery: int | None
    new_battery: bool
    comment: str
    state: str


class StandingAnswer(ListingAnswer):
    """One listing, with where it stands in what is published.

    `wins` tells that it is the offer shown for its device and grade; `price_to_win` is the highest price at which it would be,
    null where it is, or where no price is enough.
    """

    wins: bool
    price_to_win: str | None


class ListingsAnswer(BaseModel):
    """A page of listings in the order of their SKUs; `cursor` leads to the next, null on the last."""

    listings: list[ListingAnswer]
    cursor: str | None


routes = new_routes("listings")


@routes.get("/listings", responses={200: ListingsAnswer})
def every_listing(query: PageQuery) -> Response:
    """Return the seller's listings of a market, a page at a time."""
    key = caller("listings")
    with looking() as connection:
        trade = selling_rules(connection)
        market = _market(connection, key, trade, query.market)
        after = "" if UNPRINTABLE.search(query.cursor) else query.cursor
        listings = page_of_listings(connection, key.seller_id, market=market, after=after, limit=PAGE + 1)
        answers = listing_answers(connection, listings[:PAGE], trade)
    cursor = fold_sku(listings[PAGE - 1].sku) if len(listings) > PAGE else None
    return answered(ListingsAnswer(listings=answers, cursor=cursor))


@routes.get("/listings/<path:sku>", responses={200: StandingAnswer})
def one_listing(path: ListingPath, query: MarketQuery) -> Response:
    """Return one listing, and whether it wins."""
    key = caller("listings")
    with looking() as connection:
        trade = selling_rules(connection)
        market = _market(connection, key, trade, query.market)
        own = own_listing(connection, key.seller_id, market, _sku(path.sku))
        [answer] = listing_answers(connection, [own], trade)
        [contest] = contests(connection, [own])
    to_win = None if contest.to_win_cents is None else decimal(contest.to_win_cents, answer.currency)
    return answered(StandingAnswer(**answer.model_dump(), wins=contest.is_won, price_to_win=to_win))


@routes.put("/listings/<path:sku>", responses={200: ListingAnswer, 201: ListingAnswer})
def put_listing(path: ListingPath, query: MarketQuery, body: ListingBody) -> Response:
    """Put a listing whole: what the body does not say is as if it had never been said."""
    missing = {name: "missing" for name in NEEDED if name not in body.model_fields_set}
    if missing:
        raise ListingRefused("a listing that is put whole needs more", fields=missing)
    return _take(path.sku, query.market, UNSAID | body.texts())


@routes.patch("/listings/<path:sku>", responses={200: ListingAnswer})
def patch_listing(path: ListingPath, query: MarketQuery, body: ListingBody) -> Response:
    """Change what the body says of a listing that is there."""
    return _take(path.sku, query.market, body.texts(), must_exist=True)


def listing_answers(connection: Connection, listings: list[OwnListing], trade: SellingRules) -> list[ListingAnswer]:
    """Return listings as the API says them."""
    skus = sku_facts(connection, {listing.supply.sku_id for listing in listings})
    return [_answer(listing, trade, skus[listing.supply.sku_id]) for listing in listings if listing.supply.sku_id in skus]


def _take(sku: str, market: str, texts: dict[str, str], *, must_exist: bool = False) -> Response:
    key = caller("listings")

    def write(connection: Connection) -> tuple[ListingAnswer, int]:
        trade = selling_rules(connection)
        of_market = _market(connection, key, trade, market)
        if must_exist:
            own_listing(connection, key.seller_id, of_market, _sku(sku))
        row = SentRow(0, {**texts, "sku": sku, "market": of_market})
        [verdict] = take_rows(connection, key.seller_id, [row], market=of_market, now=clock.now(), trade=trade)
        if verdict.outcome == "refused" or verdict.listing is None:
            raise ListingRefused("the listing was not taken", fields={each.field: each.detail for each in verdict.problems})
        [answer] = listing_answers(connection, [verdict.listing], trade)
        return answer, 201 if verdict.outcome == "added" else 200

    return answer_once(key, write)


def _market(connection: Connection, key: ApiKey, trade: SellingRules, asked: str) -> str:
    """Return the market asked for. Raises: NotFound."""
    market = asked or home_market(connection, key.seller_id, trade.currencies)
    if market not in trade.currencies:
        raise NotFound(f"not a market: {', '.join(trade.currencies)}")
    return market


def _sku(sku: str) -> str:
    """Return a SKU that may be looked up. Raises: NotFound."""
    try:
        return seller_sku(sku)
    except WrongField:
        raise NotFound("no listing of this SKU") from None


def _answer(listing: OwnListing, trade: SellingRules, facts: dict[str, str]) -> ListingAnswer:
    supply, currency = listing.supply, trade.currencies.get(listing.supply.market, "EUR")

    def said(cents: int | None) -> str | None:
        return None if cents is None else decimal(cents, currency)

    return ListingAnswer(
        sku=listing.sku,
        market=supply.market,
        listing_id=supply.listing_id,
        grade=trade.code_of(supply.grade_id),
        price=decimal(supply.price_cents, currency),
        currency=currency,
        min_price=said(listing.min_cents),
        max_price=said(listing.max_cents),
        held_price=said(listing.held_cents),
        quantity=supply.quantity,
        reserved=listing.reserved,
        warranty_delay=supply.warranty_months,
        shipping_price=decimal(supply.shipping_cents, currency),
        shipping_delay=supply.delivery_days * HOURS,
        vat_type="MARGINAL" if supply.vat_margin else "REGULAR",
        battery=supply.battery_pct,
        new_battery=bool(supply.new_battery),
        comment=supply.comment,
        state="paused" if listing.paused else supply.state,
        **facts,
    )
