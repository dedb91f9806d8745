"""Payments of orders as their provider tells of them, refunds, and the events by which it told."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, UniqueConstraint

from marketplace.tables.columns import key, maybe_text, maybe_whole, owned, text, whole

# `attempt` counts an order's payments from 1. `refunded_cents` is what was asked back, whatever became of that. `fees_at` is when
# the provider said what it kept of all that moved, null while it did not.
payment = owned(
    "payment",
    key("customer_id"),
    key("payment_id"),
    text("order_id"),
    whole("attempt"),
    text("state"),
    text("currency"),
    whole("amount_cents"),
    whole("received_cents"),
    whole("refunded_cents"),
    text("back_url"),
    maybe_text("session_id"),
    maybe_text("intent_id"),
    maybe_text("url"),
    text("opened_at"),
    text("expires_at"),
    maybe_text("paid_at"),
    maybe_text("checked_at"),
    text("dispute"),
    maybe_text("fees_at"),
    UniqueConstraint("customer_id", "order_id", "attempt"),
    CheckConstraint("state in ('opening', 'open', 'paid', 'expired', 'returned')", name="known_payment_state"),
    CheckConstraint("(state in ('paid', 'returned')) = (received_cents > 0)", name="paid_means_received"),
    CheckConstraint("refunded_cents between 0 and received_cents", name="refunded_within_received"),
    CheckConstraint("dispute in ('', 'open', 'won', 'lost')", name="known_dispute_state"),
    Index("payment_by_id", "payment_id"),
    Index("payment_by_intent", "intent_id"),
    Index("payment_by_time", "opened_at"),
    Index("payment_by_fees", "fees_at", "checked_at"),
)
# `attempt` counts how often it was sent anew after it failed: the provider knows each under a key of its own.
refund = owned(
    "refund",
    key("customer_id"),
    key("refund_id"),
    text("payment_id"),
    text("order_id"),
    maybe_whole("seller_id"),
    maybe_text("part_id"),
    maybe_whole("line_no"),
    maybe_whole("unit_no"),
    text("currency"),
    whole("amount_cents"),
    text("reason"),
    text("state"),
    whole("attempt"),
    maybe_text("provider_id"),
    text("problem"),
    text("requested_at"),
    maybe_text("settled_at"),
    CheckConstraint("amount_cents > 0", name="refund_of_something"),
    CheckConstraint("state in ('requested', 'sent', 'done', 'failed')", name="known_refund_state"),
    Index("refund_by_payment", "customer_id", "payment_id"),
    Index("refund_by_state", "state", "requested_at"),
)
# What the provider told of, each once; that a refund failed stands here too, since another made by hand may take its place.
payment_event = owned(
    "payment_event",
    key("customer_id"),
    key("event_id"),
    text("payment_id"),
    text("kind"),
    text("received_at"),
)
