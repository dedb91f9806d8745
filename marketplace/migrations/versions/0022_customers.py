"""Keep messages between customers and sellers, and the links and sessions of customers."""

from __future__ import annotations

from alembic import op
from sqlalchemy import ForeignKeyConstraint, Index

from marketplace.tables.columns import Part, Whole, key, text

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make their tables."""
    _table(
        "message",
        key("seller_id", Whole),
        key("part_id"),
        key("message_no", Whole),
        text("customer_id"),
        text("order_id"),
        text("at"),
        text("by"),
        text("body"),
        ForeignKeyConstraint(["seller_id", "part_id"], ["part.seller_id", "part.part_id"]),
        Index("message_by_order", "order_id"),
    )
    _table(
        "customer_link",
        key("owner_id"),
        key("link_sha256"),
        text("email_folded"),
        text("expires_at"),
        Index("customer_link_by_end", "expires_at"),
    )
    _table(
        "customer_session",
        key("owner_id"),
        key("session_sha256"),
        text("email_folded"),
        text("started_at"),
        Index("customer_session_by_start", "started_at"),
    )


def _table(name: str, *parts: Part) -> None:
    op.create_table(name, *parts, sqlite_strict=True)
