"""Keep which event the last word on a demo device came with: a kiosk whose clock ran ahead is heard again."""

from __future__ import annotations

from alembic import op

from marketplace.tables.columns import maybe_text, since

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("demo_device", maybe_text("stream"))
    op.add_column("demo_device", since("seq", 0))
