"""Keep when a row was first marked since its last publication."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Give marks a time: those that wait count as older than any."""
    op.add_column("sync_dirty", Column("marked_at", Text, nullable=False, server_default="1970-01-01T00:00:00Z"))
