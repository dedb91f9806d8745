"""Let sellers speak for their own listings: their SKUs, their keys, answers kept for a repeat."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, text, whole

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "seller_listing",
        key("seller_id", Whole),
        key("market"),
        key("sku_folded"),
        text("seller_sku"),
        whole("listing_id"),
        maybe_whole("min_cents"),
        maybe_whole("max_cents"),
        maybe_whole("held_cents"),
        whole("paused"),
        text("changed_at"),
        sqlite_strict=True,
    )
    op.create_index("seller_listing_by_id", "seller_listing", ["seller_id", "listing_id"], unique=True)
    op.create_table(
        "api_key",
        key("seller_id", Whole),
        key("key_id"),
        text("name"),
        text("sha256"),
        text("scopes"),
        text("created_at"),
        text("expires_at"),
        maybe_text("used_at"),
        maybe_text("revoked_at"),
        whole("full_at_us"),
        sqlite_strict=True,
    )
    op.create_table(
        "api_answer",
        key("seller_id", Whole),
        key("repeat_key"),
        text("request_sha256"),
        text("claim"),
        text("claimed_at"),
        maybe_whole("status"),
        maybe_text("body"),
        CheckConstraint("(status is null) = (body is null)", name="answer_is_whole"),
        sqlite_strict=True,
    )
    op.create_index("api_answer_by_time", "api_answer", ["claimed_at"])
