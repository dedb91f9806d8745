"""Count what each key sends in an hour, towards its quota."""

from __future__ import annotations

from alembic import op

from marketplace.tables.columns import key, whole

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of what was sent."""
    op.create_table("sent", key("corner_id"), key("key_id"), key("hour"), whole("events"), whole("bytes"), sqlite_strict=True)
