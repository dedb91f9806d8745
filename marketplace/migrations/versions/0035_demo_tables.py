"""Keep how each demo device of a corner is by its last word, and how its rounds ended."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint

from marketplace.tables.columns import key, maybe_text, maybe_whole, text, whole

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "demo_device",
        key("corner_id"),
        key("demo_id"),
        maybe_whole("sku_id"),
        text("state"),
        text("place"),
        maybe_text("since"),
        maybe_text("seen_at"),
        maybe_text("seen_by"),
        maybe_text("back_by"),
        maybe_whole("battery"),
        text("damage"),
        text("noted_at"),
        CheckConstraint("state in ('unknown', 'present', 'reserve', 'missing', 'loaned', 'stolen')", name="known_demo_state"),
        sqlite_strict=True,
    )
    op.create_table(
        "demo_round",
        key("corner_id"),
        key("begun_at"),
        text("begun_by"),
        text("kind"),
        text("ended_at"),
        text("ended_by"),
        *(whole(name) for name in ("in_place", "elsewhere", "missing", "unseen", "away")),
        CheckConstraint("kind in ('opening', 'closing')", name="known_demo_round"),
        sqlite_strict=True,
    )
