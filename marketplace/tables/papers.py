"""Documents as they were issued: each row holds every fact that its paper prints, and is never changed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, UniqueConstraint

from marketplace.tables.columns import Whole, key, owned, text, whole

# Invoices and credit notes in a seller's name, each kind a series without gaps; `fact` names the shipment or refund it follows.
invoice = owned(
    "invoice",
    key("seller_id", Whole),
    key("kind"),
    key("invoice_no", Whole),
    text("number"),
    text("fact"),
    text("customer_id"),
    text("order_id"),
    text("part_id"),
    text("issued_at"),
    text("currency"),
    whole("total_cents"),
    text("language"),
    text("body"),
    UniqueConstraint("seller_id", "fact"),
    CheckConstraint("kind in ('invoice', 'credit_note')", name="known_invoice_kind"),
    Index("invoice_by_order", "order_id"),
    Index("invoice_by_part", "seller_id", "part_id"),
    Index("invoice_by_time", "seller_id", "issued_at"),
)
# Our own invoices and credit notes for our fees, one series without gaps; `day` is the payout day that ends the period.
fee_invoice = owned(
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
    UniqueConstraint("owner_id", "seller_id", "currency", "day"),
    CheckConstraint("kind in ('invoice', 'credit_note')", name="known_fee_invoice_kind"),
)
confirmation = owned(
    "confirmation",
    key("customer_id"),
    key("order_id"),
    text("issued_at"),
    text("language"),
    text("body"),
)
