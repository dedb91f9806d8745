"""Keep what customers compose in the shop."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, ForeignKeyConstraint

from marketplace.tables.columns import Whole, key, maybe_whole, text, whole

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of selections and their lines."""
    op.create_table("selection", key("selection_id"), text("created_at"), text("touched_at"), sqlite_strict=True)
    op.create_index("selection_by_touch", "selection", ["touched_at"])
    op.create_table(
        "selection_line",
        key("selection_id"),
        key("line_no", Whole),
        maybe_whole("listing_id"),
        maybe_whole("plan_id"),
        whole("quantity"),
        text("options"),
        text("acquisition"),
        maybe_whole("seen_cents"),
        ForeignKeyConstraint(["selection_id"], ["selection.selection_id"], ondelete="CASCADE"),
        CheckConstraint("quantity between 1 and 9", name="quantity_in_reach"),
        CheckConstraint("acquisition in ('new', 'port', 'renewal')", name="known_acquisition"),
        CheckConstraint("listing_id is not null or plan_id is not null or options <> '[]'", name="line_has_content"),
        sqlite_strict=True,
    )
