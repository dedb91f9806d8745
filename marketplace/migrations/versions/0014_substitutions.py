"""Let another unit take the place of one that its seller gave up."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Column, Text

from marketplace.tables.columns import Whole, key, maybe_text, text, whole

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the customer's consent, what of a unit's money moved on, and the units that stand in."""
    op.add_column("customer_order", Column("may_substitute", Whole, nullable=False, server_default="0"))
    op.add_column("unit", Column("moved_cents", Whole, nullable=False, server_default="0"))
    op.add_column("unit", Column("agreed", Text, nullable=True))
    op.create_table(
        "substitution",
        key("customer_id"),
        key("part_id"),
        key("line_no", Whole),
        key("unit_no", Whole),
        text("order_id"),
        whole("seller_id"),
        text("state"),
        text("stand_in"),
        text("offered_at"),
        text("decide_by"),
        maybe_text("decided_at"),
        CheckConstraint("state in ('offered', 'taken', 'declined', 'expired')", name="known_substitution_state"),
        sqlite_strict=True,
    )
    op.create_index("substitution_by_order", "substitution", ["order_id"])
    op.create_index("substitution_by_state", "substitution", ["state", "decide_by"])
