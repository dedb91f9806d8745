"""What feeds say about the trade: content, sellers and their supply.

`body` is JSON text; the columns beside it are those of `pos.catalog.TABLES`.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, owned, reference, text, whole

market = reference("market", key("market"), text("body"))
law = reference("law", key("law_id"), text("market"), text("kind"), text("valid_from"), maybe_text("valid_to"), text("body"))
partner = reference("partner", key("partner_id"), text("market"), text("body"))
grade = reference("grade", key("grade_id", Whole), whole("rank"), text("body"))
category = reference("category", key("category_id"), whole("rank"), text("body"))

# A feed speaks for sellers of source `feed`, a desk for those of source `desk`; `suspended` is what keeps offers off.
seller = owned(
    "seller",
    key("seller_id", Whole),
    whole("quality_bp"),
    whole("suspended"),
    text("body"),
    text("source"),
    text("state"),
    CheckConstraint("source in ('feed', 'desk')", name="known_seller_source"),
    CheckConstraint("state in ('trial', 'active', 'warned', 'suspended', 'closed')", name="known_seller_state"),
)
sku = reference(
    "sku",
    key("sku_id", Whole),
    text("sku"),
    text("category_id"),
    text("brand"),
    text("model"),
    maybe_whole("storage_gb"),
    maybe_whole("year"),
    text("body"),
)
media = reference(
    "media",
    key("media_id", Whole),
    maybe_whole("sku_id"),
    maybe_text("category_id"),
    text("kind"),
    whole("rank"),
    text("sha256"),
    whole("length"),
    text("body"),
)
plan = reference("plan", key("plan_id", Whole), text("market"), text("partner_id"), whole("rank"), text("body"))
option = reference("option", key("option_id", Whole), text("market"), whole("rank"), text("body"))

# A seller's supply. `reserved` counts units ordered here; the feed's own `quantity` never touches it.
listing = owned(
    "listing",
    key("seller_id", Whole),
    key("listing_id", Whole),
    text("market"),
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
    text("comment"),
    text("state"),
    whole("quantity"),
    whole("reserved"),
    CheckConstraint("price_cents > 0", name="price_is_positive"),
    CheckConstraint("reserved >= 0", name="reserved_not_negative"),
    CheckConstraint("state in ('online', 'offline', 'withdrawn')", name="known_listing_state"),
    Index("listing_by_id", "listing_id"),
    Index("listing_by_sku", "sku_id", "grade_id"),
)

# A price that starts later; when it does, the listing's row takes it over and this one goes.
price_start = owned(
    "price_start",
    key("seller_id", Whole),
    key("price_start_id"),
    text("market"),
    whole("listing_id"),
    text("starts_at"),
    whole("price_cents"),
    maybe_whole("prior_cents"),
    CheckConstraint("price_cents > 0", name="price_start_is_positive"),
    Index("price_start_by_time", "starts_at"),
)
feed_import = reference("feed_import", key("import_id"), text("feed"), text("started_at"), whole("problems"), text("report"))
