"""Keep when a carrier acknowledged a plan: only then can the device sold with it be shipped."""

from __future__ import annotations

from alembic import op

from marketplace.tables.columns import maybe_text

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Give plans the time; of those acknowledged before, the last that is known of them, in their seller's favour."""
    op.add_column("activation", maybe_text("acknowledged_at"))
    op.execute("update activation set acknowledged_at = since where state in ('acknowledged', 'active')")
