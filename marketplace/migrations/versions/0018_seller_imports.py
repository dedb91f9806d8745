"""Keep the files sellers send, and what became of each of their lines."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, text, whole

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "seller_import",
        key("seller_id", Whole),
        key("import_id"),
        *(text(name) for name in ("market", "name", "source", "state", "sent_at")),
        maybe_text("ended_at"),
        *(whole(name) for name in ("lines", "taken", "added", "changed", "unchanged", "held", "refused")),
        maybe_whole("publication"),
        maybe_text("problem"),
        CheckConstraint("state in ('waiting', 'running', 'publishing', 'done', 'refused')", name="known_import_state"),
        CheckConstraint("added + changed + unchanged + held + refused = taken", name="import_adds_up"),
        sqlite_strict=True,
    )
    op.create_index("seller_import_by_state", "seller_import", ["state", "sent_at"])
    op.create_table(
        "seller_import_file",
        key("seller_id", Whole),
        key("import_id"),
        Column("content", LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "seller_import_line",
        key("seller_id", Whole),
        key("import_id"),
        key("line", Whole),
        text("sku"),
        text("outcome"),
        maybe_whole("listing_id"),
        text("problems"),
        CheckConstraint("outcome in ('added', 'changed', 'unchanged', 'held', 'refused')", name="known_outcome"),
        sqlite_strict=True,
    )
