"""Count how soon sellers answer their customers.

Source of the hours: reference/domain.md §2 (response within 48 hours).
"""

from __future__ import annotations

from alembic import op

from marketplace.tables.columns import since

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Give the thresholds their hours and share, nights their counts, and messages an index by time."""
    for table, column, default in (
        ("quality_rule", "answer_h", 48),
        ("quality_rule", "answer_bp", 1500),
        ("seller_quality", "asked", 0),
        ("seller_quality", "slow", 0),
        ("seller_quality", "reply_h", 0),
    ):
        op.add_column(table, since(column, default))
    op.create_index("message_by_time", "message", ["seller_id", "at"])
