"""What was erased of customers, when and why, and until when the law has us keep the rest."""

from __future__ import annotations

from sqlalchemy import Index

from marketplace.tables.columns import key, maybe_text, owned, text

# `kept_until` is the day the last document of the order may be emptied, too; null when nothing is kept.
erasure = owned(
    "erasure",
    key("customer_id"),
    key("order_id"),
    text("erased_at"),
    text("reason"),
    maybe_text("kept_until"),
    Index("erasure_by_time", "erased_at"),
    Index("erasure_by_end", "kept_until"),
)
