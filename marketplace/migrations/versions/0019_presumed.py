"""Keep of a claim whether its defect counts as there from the start."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column

from marketplace.tables.columns import Whole

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Give cases the fact; no claim was made before."""
    op.add_column("unit_case", Column("presumed", Whole, nullable=False, server_default="0"))
