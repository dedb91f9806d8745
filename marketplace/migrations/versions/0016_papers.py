"""Keep what is issued to customers: invoices, credit notes and confirmations, each with all that it prints."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Index, UniqueConstraint

from marketplace.tables.columns import Whole, key, text, whole

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the tables of documents."""
    op.create_table(
        "invoice",
        key("seller_id", Whole),
        key("kind"),
        key("invoice_no", Whole),
        text("number"),
        text("fact"),
        text("customer_id"),
        text("order_id"),
        text("part_id"),
        text("issued_at"),
        text("currency"),
        whole("total_cents"),
        text("language"),
        text("body"),
        UniqueConstraint("seller_id", "fact"),
        CheckConstraint("kind in ('invoice', 'credit_note')", name="known_invoice_kind"),
        Index("invoice_by_order", "order_id"),
        Index("invoice_by_part", "seller_id", "part_id"),
        Index("invoice_by_time", "seller_id", "issued_at"),
        sqlite_strict=True,
    )
    op.create_table(
        "confirmation",
        key("customer_id"),
        key("order_id"),
        text("issued_at"),
        text("language"),
        text("body"),
        sqlite_strict=True,
    )
