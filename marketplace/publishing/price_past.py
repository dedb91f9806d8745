"""What the shop at home tells of an offer's past prices: what HQ published of the listing, announced prices from their start."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from marketplace.db import rows
from pos import clock
from pos.offers import Offer
from pos.price_past import PricePast, past_of

PUBLISHED = """
  select published_at as at, publication, price_cents, shipping_cents, withdrawn from listing_terms
  where seller_id = :seller_id and market = :market and listing_id = :listing_id and line = '' and published_at <= :until
    and sku_id = :sku_id and grade_id = :grade_id
  union all
  select starts_at as at, publication, price_cents, null as shipping_cents, withdrawn from price_start_terms told
  where seller_id = :seller_id and market = :market and listing_id = :listing_id and line = '' and withdrawn = 0
    and starts_at <= :until and published_at <= starts_at
    and not exists (
      select 1 from price_start_terms later
      where later.seller_id = told.seller_id and later.market = told.market and later.price_start_id = told.price_start_id
        and later.line = '' and later.publication > told.publication and later.published_at <= told.starts_at
    )
  order by at, publication
"""
"""As `marketplace.feeds.reductions` reckons: a price that was announced counts from its start, unless it was changed before."""


def published_past(connection: Connection, offer: Offer, *, market: str, now: datetime) -> PricePast | None:
    """Return the all-in prices published of an offer's listing, as this SKU and grade; None where there are none."""
    steps, shipping_cents = [], None
    asked = {"seller_id": offer.seller_id, "listing_id": offer.listing_id, "sku_id": offer.sku_id, "grade_id": offer.grade_id}
    for told in rows(connection, PUBLISHED, market=market, until=clock.to_text(now), **asked):
        if told["shipping_cents"] is not None:
            shipping_cents = told["shipping_cents"]
        if shipping_cents is not None:
            steps.append((told["at"], None if told["withdrawn"] else told["price_cents"] + shipping_cents))
    return past_of(steps, of="seller", now=now)
