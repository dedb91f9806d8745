"""Tell apart what waits for a person's publication and what goes by itself."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Give marks an origin: those that wait are HQ's."""
    op.add_column("sync_dirty", Column("origin", Text, nullable=False, server_default="hq"))
