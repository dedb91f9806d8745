"""Log what was erased of customers."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Index

from marketplace.tables.columns import key, maybe_text, text

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the log."""
    op.create_table(
        "erasure",
        key("customer_id"),
        key("order_id"),
        text("erased_at"),
        text("reason"),
        maybe_text("kept_until"),
        Index("erasure_by_time", "erased_at"),
        Index("erasure_by_end", "kept_until"),
        sqlite_strict=True,
    )
