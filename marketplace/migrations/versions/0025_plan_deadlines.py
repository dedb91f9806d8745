"""Give plans that wait for their customer a time until which they wait."""

from __future__ import annotations

from datetime import timedelta

from alembic import op
from sqlalchemy import Column, Text, text

from pos import clock

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the deadline: plans that wait already have five days from now, and their customers are reminded within them."""
    op.add_column("activation", Column("decide_by", Text))
    op.add_column("activation", Column("reminded_at", Text))
    op.create_index("activation_by_state", "activation", ["state", "since"])
    op.create_index("activation_by_deadline", "activation", ["decide_by"])
    update = "update activation set decide_by = :decide_by where state in ('needs_number', 'refused')"
    op.execute(text(update).bindparams(decide_by=clock.to_text(clock.now() + timedelta(days=5))))
