"""Find a seller's units by state, and the parts whose seller is to be reminded."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text, text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add when a seller was reminded, and the indexes of the desk and of the timer."""
    op.add_column("part", Column("reminded_at", Text, nullable=True))
    unreminded = text("reminded_at is null")
    op.create_index("part_to_remind", "part", ["accept_by"], sqlite_where=unreminded, postgresql_where=unreminded)
    op.create_index("unit_of_seller_by_state", "unit", ["seller_id", "state", "part_id"])
