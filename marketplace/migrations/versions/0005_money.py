"""Keep the ledger, the rules of fees, and what HQ adds by hand."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, text, whole

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables of money."""
    op.create_table(
        "entry",
        key("owner_id"),
        key("entry_id"),
        *(text("kind"), text("fact"), text("subject"), text("currency"), text("at")),
        *(whole("debit_cents"), whole("credit_cents")),
        UniqueConstraint("owner_id", "fact", name="entry_owner_id_fact_key"),
        CheckConstraint("debit_cents = credit_cents and debit_cents > 0", name="entry_adds_up"),
        sqlite_strict=True,
    )
    op.create_index("entry_by_subject", "entry", ["owner_id", "subject"])
    op.create_table(
        "posting",
        key("owner_id"),
        key("entry_id"),
        key("posting_no", Whole),
        *(text("account"), text("party"), text("currency"), text("at"), whole("amount_cents"), maybe_text("due_on")),
        ForeignKeyConstraint(
            ["owner_id", "entry_id"], ["entry.owner_id", "entry.entry_id"], name="posting_owner_id_entry_id_fkey"
        ),
        CheckConstraint("amount_cents <> 0", name="posting_moves_something"),
        sqlite_strict=True,
    )
    op.create_index("posting_by_account", "posting", ["account", "currency", "party", "at", "amount_cents"])
    op.create_table(
        "fee_rule",
        key("owner_id"),
        key("rule_id"),
        *(text("name"), maybe_whole("seller_id"), maybe_text("category_id"), maybe_text("market"), text("currency")),
        *(whole("rate_bp"), whole("fixed_cents"), maybe_whole("least_cents"), maybe_whole("most_cents")),
        *(text("valid_from"), maybe_text("valid_to"), text("made_at")),
        CheckConstraint("rate_bp between 0 and 10000 and fixed_cents >= 0", name="fee_in_reach"),
        CheckConstraint("valid_to is null or valid_to > valid_from", name="fee_rule_holds_a_day"),
        sqlite_strict=True,
    )
    op.create_table(
        "adjustment",
        key("seller_id", Whole),
        key("adjustment_id"),
        *(text("currency"), whole("amount_cents"), text("reason"), text("at")),
        CheckConstraint("amount_cents <> 0", name="adjustment_moves_something"),
        sqlite_strict=True,
    )
    op.create_index("adjustment_by_time", "adjustment", ["at"])
