"""Keep how well sellers serve: the thresholds from a day on, and each seller's figures night by night.

Source of the first thresholds: reference/domain.md §2 (events below 5 % in three months, late below 15 %).
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint

from marketplace.tables.columns import Whole, key, text, whole

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make both tables, with the first thresholds."""
    figures = ("days", "least_units", "ship_h", "cancel_bp", "late_bp", "defect_bp", "start_quality_bp", "trial_units")
    counts = ("units", "cancelled", "taken", "due", "late", "shipped", "returned", "defects", "quality_bp")
    op.create_table(
        "quality_rule",
        key("owner_id"),
        key("valid_from"),
        *(whole(name) for name in figures),
        text("made_at"),
        CheckConstraint("days > 0 and least_units > 0 and ship_h > 0", name="quality_rule_counts_something"),
        sqlite_strict=True,
    )
    op.create_table("seller_quality", key("seller_id", Whole), key("day"), *(whole(name) for name in counts), sqlite_strict=True)
    op.execute(
        """
        insert into quality_rule (owner_id, valid_from, days, least_units, ship_h, cancel_bp, late_bp, defect_bp,
          start_quality_bp, trial_units, made_at)
        values ('hq', '2020-01-01', 90, 20, 48, 500, 1500, 500, 9000, 50, '2020-01-01T00:00:00Z')
        """
    )
