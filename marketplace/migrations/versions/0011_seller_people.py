"""Keep the people of each seller, their sessions, and the links by which they choose a password."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Index

from marketplace.tables.columns import Whole, key, maybe_text, text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables of people, sessions and links."""
    op.create_table(
        "seller_user",
        key("seller_id", Whole),
        key("user_id"),
        text("email"),
        text("email_folded"),
        text("role"),
        maybe_text("password_hash"),
        text("created_at"),
        maybe_text("removed_at"),
        CheckConstraint("role in ('owner', 'shipping', 'reader')", name="known_seller_role"),
        Index("seller_user_by_email", "email_folded"),
        sqlite_strict=True,
    )
    op.create_table(
        "seller_session",
        key("seller_id", Whole),
        key("session_sha256"),
        text("user_id"),
        text("started_at"),
        Index("seller_session_by_start", "started_at"),
        sqlite_strict=True,
    )
    op.create_table(
        "seller_link",
        key("seller_id", Whole),
        key("link_sha256"),
        text("user_id"),
        text("expires_at"),
        sqlite_strict=True,
    )
