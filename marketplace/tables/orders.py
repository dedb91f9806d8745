"""Slips as HQ knows them, their claims, and the orders they became."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, owned, text, whole

slip = owned(
    "slip",
    key("corner_id"),
    key("key_id"),
    key("counter", Whole),
    text("number"),
    text("digits"),
    text("facts"),
    text("issued_at"),
    text("valid_until"),
    text("received_at"),
    maybe_text("difference"),
    Index("slip_by_time", "issued_at"),
    Index("slip_by_corner", "corner_id", "issued_at"),
    Index(
        "slip_by_difference",
        "corner_id",
        "issued_at",
        sqlite_where=sql("difference is not null"),
        postgresql_where=sql("difference is not null"),
    ),
)
slip_void = owned("slip_void", key("corner_id"), key("key_id"), key("counter", Whole), text("reason"), text("voided_at"))

# A claim ties a slip to the one order it became; matched is the fact that claim and slip share their key.
claim = owned(
    "claim",
    key("corner_id"),
    key("key_id"),
    key("counter", Whole),
    text("number"),
    text("customer_id"),
    text("order_id"),
    text("claimed_at"),
    maybe_text("difference"),
    Index("claim_by_time", "claimed_at"),
    Index("claim_by_corner", "corner_id", "claimed_at"),
)
customer_order = owned(
    "customer_order",
    key("customer_id"),
    key("order_id"),
    text("number"),
    text("market"),
    text("currency"),
    text("state"),
    text("name"),
    text("email"),
    text("address"),
    text("facts"),
    text("totals"),
    text("placed_at"),
    CheckConstraint("state in ('to_confirm', 'accepted', 'shipped', 'cancelled')", name="known_order_state"),
    Index("customer_order_by_id", "order_id"),
    Index("customer_order_by_time", "placed_at"),
    Index("customer_order_by_state", "state"),
)
order_line = owned(
    "order_line",
    key("customer_id"),
    key("order_id"),
    key("line_no", Whole),
    maybe_whole("seller_id"),
    maybe_whole("listing_id"),
    maybe_whole("plan_id"),
    whole("quantity"),
    text("basis"),
    whole("total_cents"),
    CheckConstraint("basis in ('then', 'now', 'replaced', 'dropped')", name="known_basis"),
)
