"""From which price a seller may announce a reduction: its own lowest of the 30 days before, of the same SKU in the same grade.

Invariant: what counts is the seller's published history of these goods in this market, under whatever listing; where there is
none, there is no reduction (L112-1-1). A market that was never published has no history here yet: its first feed brings the
prior prices along, and whoever imports it answers for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, text

from marketplace.feeds.listings import Supply
from marketplace.publishing.terms import recorded_publication

PRIOR_DAYS = 30
"""The days before a reduction whose lowest price it starts from (L112-1-1)."""
NO_HISTORY = f"this seller published no price for this SKU and grade in {PRIOR_DAYS} days: nothing to reduce from (L112-1-1)"


class Goods(NamedTuple):
    """What a reduction is of: a seller's supply of a SKU in a grade in a market."""

    seller_id: int
    market: str
    sku_id: int
    grade_id: int

    @classmethod
    def of(cls, listing: Supply) -> Goods:
        """Return the goods that a listing offers."""
        return cls(listing.seller_id, listing.market, listing.sku_id, listing.grade_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPrices:
    """The published past of goods: price and prior price that run, of each listing, and the lowest of the period asked for."""

    running: tuple[tuple[int, int | None], ...]
    lowest_cents: int

    def justify(self, *, price_cents: int, prior_cents: int) -> bool:
        """Tell whether a reduction may be announced from `prior_cents` (L112-1-1).

        A reduction that runs, or goes further down in steps, keeps the prior price it started from; any other starts from
        the lowest price of the 30 days before.
        """
        goes_on = any(before == prior_cents and price_cents <= cents for cents, before in self.running)
        return goes_on or prior_cents <= self.lowest_cents


@dataclass(frozen=True, slots=True)
class _Step:
    at: str
    price_cents: int
    prior_cents: int | None
    withdrawn: int


def with_past(connection: Connection, markets: Iterable[str]) -> frozenset[str]:
    """Return those of the markets that were ever published."""
    return frozenset(market for market in markets if recorded_publication(connection, market))


def published_prices(connection: Connection, wanted: Iterable[Goods], *, since: str, until: str) -> dict[Goods, PublishedPrices]:
    """Return the past of those goods that have one, prices in force at `since` (UTC text) included.

    A price that was announced and started by `until` counts from its start, published as such or not: kiosks went by it.
    What was on trial alone does not count.
    """
    asked: dict[tuple[int, str], set[Goods]] = {}
    for goods in wanted:
        asked.setdefault((goods.seller_id, goods.market), set()).add(goods)
    published: dict[Goods, PublishedPrices] = {}
    for some in asked.values():
        for goods, listings in _history(connection, some, until).items():
            periods = [period for steps in listings.values() if (period := _period(steps, since))]
            if periods:
                running = tuple((period[-1].price_cents, period[-1].prior_cents) for period in periods)
                lowest = min(step.price_cents for period in periods for step in period)
                published[goods] = PublishedPrices(running=running, lowest_cents=lowest)
    return published


def _history(connection: Connection, wanted: set[Goods], until: str) -> dict[Goods, dict[int, list[_Step]]]:
    """Return what was published of goods of one seller in one market, by listing, the oldest first."""
    some = next(iter(wanted))
    about = {"seller_id": some.seller_id, "market": some.market, "until": until, "skus": [goods.sku_id for goods in wanted]}
    history: dict[Goods, dict[int, list[_Step]]] = {goods: {} for goods in wanted}
    current: dict[int, Goods] = {}
    for past in connection.execute(_HISTORY, about):
        before = current.get(past.listing_id)
        if past.sku_id is not None:
            current[past.listing_id] = Goods(some.seller_id, some.market, past.sku_id, past.grade_id)
        goods = current.get(past.listing_id)
        if before in history and before != goods:
            # The listing offers something else from here on.
            gone = _Step(past.at, past.price_cents, past.prior_cents, 1)
            history[before].setdefault(past.listing_id, []).append(gone)
        if goods in history:
            step = _Step(past.at, past.price_cents, past.prior_cents, past.withdrawn)
            history[goods].setdefault(past.listing_id, []).append(step)
    return history


def _period(steps: list[_Step], since: str) -> list[_Step]:
    """Return what was in force at `since` and what came after, but for times without an offer."""
    before = [step for step in steps if step.at < since][-1:]
    return [step for step in [*before, *(step for step in steps if step.at >= since)] if not step.withdrawn]


_HISTORY = text(
    """
    with concerned as (
      select distinct listing_id from listing_terms
      where seller_id = :seller_id and market = :market and line = '' and sku_id in :skus
    )
    select listing_id, published_at as at, publication, sku_id, grade_id, price_cents, prior_cents, withdrawn
    from listing_terms
    where seller_id = :seller_id and market = :market and line = '' and listing_id in (select listing_id from concerned)
    union all
    select listing_id, starts_at as at, publication, null as sku_id, null as grade_id, price_cents, prior_cents, withdrawn
    from price_start_terms told
    where seller_id = :seller_id and market = :market and line = '' and listing_id in (select listing_id from concerned)
      and starts_at <= :until and published_at <= starts_at and withdrawn = 0
      and not exists (
        select 1 from price_start_terms later
        where later.seller_id = told.seller_id and later.market = told.market and later.line = ''
          and later.price_start_id = told.price_start_id and later.publication > told.publication
          and later.published_at <= told.starts_at
      )
    order by listing_id, at, publication
    """
).bindparams(bindparam("skus", expanding=True))
