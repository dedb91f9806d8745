"""A seller's own listings: known by (seller, market, seller's SKU), each with an id from one counter, given once and never again.

Invariant: what is on sale is a row of `listing`, the very one a feed would write, and every change of it is marked for the
publisher, price and stock apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from marketplace import tables
from marketplace.bodies import fit_body
from marketplace.db import row as one_row
from marketplace.db import upsert
from marketplace.feeds.listings import FIRST_SELLERS_ID, Supply, mark_supply
from marketplace.feeds.shapes import FEED_ROWS
from marketplace.publishing.marks import Marks
from marketplace.sellers.fields import fold_sku
from marketplace.settings import setting, store_setting
from pos import clock
from pos.errors import NotFound, Unavailable
from pos.shapes import MOST_ID
from sync.hq.log import SUPPLY

NEXT_ID = "next_listing_id"
_SELECT = f"""
    select own.seller_sku as sku, own.min_cents, own.max_cents, own.held_cents, own.paused, listing.reserved,
      {", ".join(f"listing.{name}" for name in Supply._fields)}
    from seller_listing own
    join listing on listing.seller_id = own.seller_id and listing.listing_id = own.listing_id
    where own.seller_id = :seller_id
"""

STANDINGS = {
    "online": "listing.state = 'online' and listing.quantity > listing.reserved",
    "sold_out": "own.paused = 0 and listing.quantity <= listing.reserved",
    "paused": "own.paused = 1",
    "held": "own.held_cents is not null",
}
"""How a seller may narrow its listings: on sale, sold out, paused, with a price to confirm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnListing:
    """A seller's listing: `supply` is what is on sale, `held_cents` a price that waits to be confirmed; cents."""

    sku: str
    supply: Supply
    min_cents: int | None
    max_cents: int | None
    held_cents: int | None
    paused: int
    reserved: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """Its market and its seller's SKU, folded."""
        return self.supply.market, fold_sku(self.sku)


def own_listing(connection: Connection, seller_id: int, market: str, sku: str) -> OwnListing:
    """Return a seller's listing by the seller's SKU. Raises: NotFound."""
    listing = own_listings(connection, seller_id, [(market, fold_sku(sku))]).get((market, fold_sku(sku)))
    if listing is None:
        raise NotFound("no listing of this SKU")
    return listing


def own_listing_of(connection: Connection, seller_id: int, listing_id: int) -> OwnListing:
    """Return a seller's listing by its id. Raises: NotFound."""
    query = text(f"{_SELECT} and own.listing_id = :listing_id")
    stored = connection.execute(query, {"seller_id": seller_id, "listing_id": listing_id}).first()
    if stored is None:
        raise NotFound("no such listing")
    return _listing(stored)


def own_listings(connection: Connection, seller_id: int, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], OwnListing]:
    """Return those of a seller's listings, by market and folded SKU, that there are."""
    if not keys:
        return {}
    markets, skus = ({key[part] for key in keys} for part in (0, 1))
    query = text(f"{_SELECT} and own.market in :markets and own.sku_folded in :skus")
    query = query.bindparams(bindparam("markets", expanding=True), bindparam("skus", expanding=True))
    found = connection.execute(query, {"seller_id": seller_id, "markets": sorted(markets), "skus": sorted(skus)})
    return {listing.key: listing for listing in map(_listing, found)}


def page_of_listings(
    connection: Connection, seller_id: int, *, market: str, after: str, limit: int, q: str = "", standing: str = ""
) -> list[OwnListing]:
    """Return a seller's listings of a market in the order of their folded SKUs, from `after` on, with `q` in their SKU.

    Those in one of `STANDINGS` alone, or all.
    """
    escaped = fold_sku(q).replace("!", "!!").replace("%", "!%").replace("_", "!_")
    query = text(
        f"""
        {_SELECT} and own.market = :market and own.sku_folded > :after and own.sku_folded like :pattern escape '!'
          and {STANDINGS.get(standing, "1 = 1")}
        order by own.sku_folded limit :most
        """
    )
    about = {"seller_id": seller_id, "market": market, "after": after, "pattern": f"%{escaped}%", "most": limit}
    return [_listing(stored) for stored in connection.execute(query, about)]


def own_skus(connection: Connection, seller_id: int, listing_ids: Collection[int]) -> dict[int, str]:
    """Return the seller's own SKUs of its listings, by id; those that its feed speaks for have none."""
    query = text("select listing_id, seller_sku from seller_listing where seller_id = :seller_id and listing_id in :ids")
    found = connection.execute(
        query.bindparams(bindparam("ids", expanding=True)), {"seller_id": seller_id, "ids": sorted(listing_ids)}
    )
    return {each["listing_id"]: each["seller_sku"] for each in found.mappings()}


def home_market(connection: Connection, seller_id: int, markets: Collection[str]) -> str:
    """Return the market of a seller that names none: that of its country, else the first."""
    seller = one_row(connection, "select body from seller where seller_id = :seller_id", seller_id=seller_id)
    body = fit_body(FEED_ROWS["sellers"], seller["body"]) if seller else None
    country = str((body or {}).get("country", "")).casefold()
    return country if country in markets else min(markets, default="")


def store_listings(
    connection: Connection, wanted: Collection[OwnListing], stored: Mapping[tuple[str, str], OwnListing], *, now: datetime
) -> list[OwnListing]:
    """Write the listings that differ from what is `stored`, new ones with ids of their own, and mark what is published.

    Returns them all as they stand now. Belongs in the caller's write transaction.
    """
    fresh = sum(listing.key not in stored for listing in wanted)
    next_id = _take_ids(connection, fresh) if fresh else 0
    kept, changed, marks = [], [], Marks(SUPPLY)
    for sent in wanted:
        before, listing = stored.get(sent.key), sent
        if before is None:
            listing = replace(sent, supply=sent.supply._replace(listing_id=next_id))
            next_id += 1
        if listing != before:
            changed.append(listing)
            mark_supply(marks, before.supply if before else None, listing.supply)
        kept.append(listing)
    if changed:
        at = clock.to_text(now)
        supply = [{**listing.supply._asdict(), "reserved": 0} for listing in changed]
        connection.execute(upsert(tables.listing, skip=("reserved",)), supply)
        connection.execute(upsert(tables.seller_listing), [_columns(listing, at) for listing in changed])
        marks.write(connection)
    return kept


def _take_ids(connection: Connection, number: int) -> int:
    """Return the first of so many ids that nobody else is given: the counter's row is this transaction's from here on."""
    first = int(setting(connection, NEXT_ID) or FIRST_SELLERS_ID)
    if first + number > MOST_ID:
        raise Unavailable("no listing id is left")
    store_setting(connection, NEXT_ID, first + number)
    return first


def _listing(stored: Row[Any]) -> OwnListing:
    facts = dict(stored._mapping)
    supply = Supply(**{name: facts.pop(name) for name in Supply._fields})
    return OwnListing(supply=supply, **facts)


def _columns(listing: OwnListing, at: str) -> dict[str, Any]:
    return {
        "seller_id": listing.supply.seller_id,
        "market": listing.supply.market,
        "sku_folded": fold_sku(listing.sku),
        "seller_sku": listing.sku,
        "listing_id": listing.supply.listing_id,
        "min_cents": listing.min_cents,
        "max_cents": listing.max_cents,
        "held_cents": listing.held_cents,
        "paused": listing.paused,
        "changed_at": at,
    }
