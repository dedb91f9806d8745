"""Keep what HQ and the corners' managers changed of a corner's people, beside what a feed says of them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, text

from marketplace.tables.columns import key, whole
from marketplace.tables.columns import text as column

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Add the people, and find the acts of a corner's journal without reading its other events."""
    op.create_table(
        "corner_clerk",
        key("corner_id"),
        key("clerk_id"),
        column("name"),
        column("role"),
        column("state"),
        whole("change_no"),
        whole("reset_no"),
        column("code_hash"),
        column("changed_by"),
        column("changed_at"),
        CheckConstraint("role in ('clerk', 'manager', 'support')", name="known_clerk_role"),
        CheckConstraint("state in ('active', 'suspended')", name="known_clerk_state"),
        sqlite_strict=True,
    )
    where = text("kind = 'counter_act'")
    op.create_index("inbox_by_act", "inbox", ["corner_id", "recorded_at"], sqlite_where=where, postgresql_where=where)
