"""Keep when the provider said what it kept of a payment: those of before are asked for again."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the moment, unknown of every payment so far."""
    op.add_column("payment", Column("fees_at", Text))
    op.create_index("payment_by_fees", "payment", ["fees_at", "checked_at"])
