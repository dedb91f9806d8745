"""Add our own invoices to sellers for our fees, and give what we take of a seller's share the day of that share."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, UniqueConstraint

from marketplace.tables.columns import Whole, key, text, whole

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Make the table; a fee booked before falls due with the seller's share of its own entry."""
    op.create_table(
        "fee_invoice",
        key("owner_id"),
        key("invoice_no", Whole),
        text("number"),
        text("kind"),
        whole("seller_id"),
        text("currency"),
        text("day"),
        text("issued_at"),
        whole("fee_cents"),
        whole("vat_cents"),
        text("language"),
        text("body"),
        UniqueConstraint("owner_id", "seller_id", "currency", "day", name="fee_invoice_owner_id_seller_id_currency_day_key"),
        CheckConstraint("kind in ('invoice', 'credit_note')", name="known_fee_invoice_kind"),
        sqlite_strict=True,
    )
    op.execute("""
        update posting set due_on = (
          select max(share.due_on) from posting share
          where share.owner_id = posting.owner_id and share.entry_id = posting.entry_id and share.account = 'seller_payable'
        )
        where account in ('commission', 'fee_vat', 'adjustments') and due_on is null
    """)
