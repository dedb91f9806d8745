"""Keep what is paid out to sellers, and how."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, text, whole

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables of payouts and of their terms."""
    op.create_table(
        "payout_terms",
        key("seller_id", Whole),
        *(text("holder"), text("iban"), whole("is_held"), whole("reserve_bp")),
        *(maybe_text("reserve_until"), maybe_whole("least_cents")),
        CheckConstraint("reserve_bp between 0 and 10000", name="reserve_in_reach"),
        sqlite_strict=True,
    )
    op.create_table(
        "payout",
        key("seller_id", Whole),
        key("payout_id"),
        *(text("currency"), text("day"), whole("amount_cents"), text("state"), text("holder"), text("iban"), text("reason")),
        *(maybe_text("file_id"), text("planned_at"), maybe_text("sent_at"), maybe_text("ended_at")),
        CheckConstraint("state in ('planned', 'sent', 'settled', 'returned')", name="known_payout_state"),
        CheckConstraint("amount_cents > 0", name="payout_is_positive"),
        sqlite_strict=True,
    )
    op.create_index("payout_by_day", "payout", ["day"])
    op.create_index("payout_by_file", "payout", ["file_id"])
