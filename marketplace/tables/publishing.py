"""What was published, and from which publication on: a slip's "then".

A row holds until the next of the same key; publications are counted by market. `line` is empty for what everybody was given,
else the trial that alone had it.
"""

from __future__ import annotations

from sqlalchemy import Index

from marketplace.tables.columns import Whole, key, maybe_whole, owned, reference, text, whole

listing_terms = owned(
    "listing_terms",
    key("seller_id", Whole),
    key("market"),
    key("listing_id", Whole),
    key("publication", Whole),
    text("line"),
    text("published_at"),
    whole("sku_id"),
    whole("grade_id"),
    whole("price_cents"),
    whole("shipping_cents"),
    whole("delivery_days"),
    whole("warranty_months"),
    whole("vat_margin"),
    maybe_whole("battery_pct"),
    whole("new_battery"),
    maybe_whole("prior_cents"),
    whole("withdrawn"),
    Index("listing_terms_by_id", "listing_id", "market", "publication"),
)
price_start_terms = owned(
    "price_start_terms",
    key("seller_id", Whole),
    key("market"),
    key("price_start_id"),
    key("publication", Whole),
    text("line"),
    text("published_at"),
    whole("listing_id"),
    text("starts_at"),
    whole("price_cents"),
    maybe_whole("prior_cents"),
    whole("withdrawn"),
    Index("price_start_terms_by_listing", "listing_id", "market", "starts_at"),
    Index("price_start_terms_by_id", "price_start_id", "market", "publication"),
)
plan_terms = reference(
    "plan_terms",
    key("market"),
    key("plan_id", Whole),
    key("publication", Whole),
    text("line"),
    text("published_at"),
    text("body"),
    whole("withdrawn"),
)
option_terms = reference(
    "option_terms",
    key("market"),
    key("option_id", Whole),
    key("publication", Whole),
    text("line"),
    text("published_at"),
    text("body"),
    whole("withdrawn"),
)
terms_mark = reference("terms_mark", key("market"), key("line"), whole("publication"), text("published_at"))
