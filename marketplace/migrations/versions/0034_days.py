"""Keep the corners' business days as their kiosks count them."""

from __future__ import annotations

from alembic import op

from marketplace.tables.columns import key, text, whole

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "day_report",
        key("corner_id"),
        key("day"),
        text("stream"),
        whole("edition"),
        text("time_zone"),
        whole("day_begins_hour"),
        text("from_at"),
        text("until_at"),
        text("counted_at"),
        text("received_at"),
        text("figures"),
        sqlite_strict=True,
    )
    op.create_index("day_report_by_day", "day_report", ["day", "corner_id"])
