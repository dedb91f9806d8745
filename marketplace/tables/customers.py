"""What customers write to sellers, and the links and sessions by which they find their orders again."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index

from marketplace.tables.columns import Whole, key, owned, text

message = owned(
    "message",
    key("seller_id", Whole),
    key("part_id"),
    key("message_no", Whole),
    text("customer_id"),
    text("order_id"),
    text("at"),
    text("by"),
    text("body"),
    ForeignKeyConstraint(["seller_id", "part_id"], ["part.seller_id", "part.part_id"]),
    Index("message_by_order", "order_id"),
    Index("message_by_time", "seller_id", "at"),
)

# An owner is an e-mail address, by its hash; secrets are kept as their hash alone.
customer_link = owned(
    "customer_link",
    key("owner_id"),
    key("link_sha256"),
    text("email_folded"),
    text("expires_at"),
    Index("customer_link_by_end", "expires_at"),
)
customer_session = owned(
    "customer_session",
    key("owner_id"),
    key("session_sha256"),
    text("email_folded"),
    text("started_at"),
    Index("customer_session_by_start", "started_at"),
)
