"""Tell whom HQ or a corner's manager added from whom a feed names: the latter goes with the feed's list."""

from __future__ import annotations

from alembic import op

from marketplace.tables.columns import since

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Add the mark; of the entries there are it stays unknown who was named, and they stay."""
    op.add_column("corner_clerk", since("is_added", 1))
