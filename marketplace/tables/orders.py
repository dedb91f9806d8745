"""Slips as HQ knows them, their claims, the orders they became, and each seller's part of a paid order with its units."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Text
from sqlalchemy import text as sql

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, owned, since, text, whole

slip = owned(
    "slip",
    key("corner_id"),
    key("key_id"),
    key("counter", Whole),
    text("number"),
    text("digits"),
    text("facts"),
    text("issued_at"),
    text("valid_until"),
    text("received_at"),
    maybe_text("difference"),
    Index("slip_by_time", "issued_at"),
    Index("slip_by_corner", "corner_id", "issued_at"),
    Index(
        "slip_by_difference",
        "corner_id",
        "issued_at",
        sqlite_where=sql("difference is not null"),
        postgresql_where=sql("difference is not null"),
    ),
)
slip_void = owned("slip_void", key("corner_id"), key("key_id"), key("counter", Whole), text("reason"), text("voided_at"))

# A claim ties a slip to the one order it became; matched is the fact that claim and slip share their key. `state` is what became
# of the slip, `change_no` grows with each change at its corner, for the kiosk that asks what is new.
claim = owned(
    "claim",
    key("corner_id"),
    key("key_id"),
    key("counter", Whole),
    text("number"),
    text("customer_id"),
    text("order_id"),
    text("claimed_at"),
    maybe_text("difference"),
    Column("state", Text, nullable=False, server_default="ordered"),
    maybe_text("state_at"),
    since("change_no", 0),
    Index("claim_by_time", "claimed_at"),
    Index("claim_by_corner", "corner_id", "claimed_at"),
    Index("claim_by_order", "order_id"),
    Index("claim_by_change", "corner_id", "change_no"),
)
customer_order = owned(
    "customer_order",
    key("customer_id"),
    key("order_id"),
    text("number"),
    text("market"),
    text("currency"),
    text("state"),
    maybe_text("reserved_until"),
    text("source"),
    text("language"),
    text("name"),
    text("email"),
    text("email_folded"),
    text("address"),
    text("facts"),
    text("totals"),
    text("placed_at"),
    since("may_substitute", 0),
    CheckConstraint("state in ('unpaid', 'open', 'paid', 'requested', 'closed')", name="known_order_state"),
    CheckConstraint("(state = 'open') = (reserved_until is not null)", name="open_orders_are_reserved"),
    CheckConstraint("source in ('slip', 'selection')", name="known_order_source"),
    Index("customer_order_by_id", "order_id"),
    Index("customer_order_by_time", "placed_at"),
    Index("customer_order_by_state", "state"),
    Index("customer_order_by_email", "email_folded"),
    Index("customer_order_by_number", "number"),
)
# The words of the name an order was placed under, as HQ finds it by them.
order_name = owned("order_name", key("customer_id"), key("order_id"), key("word"), Index("order_name_by_word", "word"))

# Cents are for one unit: `owed` is the all-in price promised, `collected` what of it the customer pays us, `tax` comes on top.
order_line = owned(
    "order_line",
    key("customer_id"),
    key("order_id"),
    key("line_no", Whole),
    maybe_whole("seller_id"),
    maybe_whole("listing_id"),
    maybe_whole("sku_id"),
    maybe_whole("grade_id"),
    maybe_whole("plan_id"),
    maybe_text("partner_id"),
    whole("quantity"),
    text("basis"),
    whole("total_cents"),
    whole("owed_cents"),
    whole("collected_cents"),
    whole("tax_cents"),
    whole("vat_margin"),
    whole("delivery_days"),
    CheckConstraint("basis in ('then', 'now', 'replaced', 'dropped')", name="known_basis"),
    CheckConstraint("collected_cents between 0 and owed_cents", name="collected_within_owed"),
)

# A seller's part of a paid order; `changed_no` counts the changes of all its seller's parts, for whoever asks what is new.
# `asked_at` is when its customer wrote what nobody answered yet, null where nothing waits.
part = owned(
    "part",
    key("seller_id", Whole),
    key("part_id"),
    text("customer_id"),
    text("order_id"),
    text("number"),
    text("market"),
    text("currency"),
    text("paid_at"),
    text("accept_by"),
    whole("changed_no"),
    maybe_text("reminded_at"),
    maybe_text("asked_at"),
    Index("part_by_order", "order_id"),
    Index("part_by_change", "seller_id", "changed_no"),
    Index("part_by_time", "paid_at"),
    Index("part_to_remind", "accept_by", sqlite_where=sql("reminded_at is null"), postgresql_where=sql("reminded_at is null")),
    Index("part_to_answer", "asked_at", sqlite_where=sql("asked_at is not null"), postgresql_where=sql("asked_at is not null")),
)
# `moved_cents` is what of its money stands for the unit that took its place; `agreed` is the device of such a unit, as frozen
# JSON, null where the order's line says it.
unit = owned(
    "unit",
    key("seller_id", Whole),
    key("part_id"),
    key("line_no", Whole),
    key("unit_no", Whole),
    text("customer_id"),
    text("order_id"),
    text("market"),
    text("currency"),
    text("state"),
    whole("listing_id"),
    whole("sku_id"),
    whole("grade_id"),
    maybe_text("partner_id"),
    whole("owed_cents"),
    whole("collected_cents"),
    whole("tax_cents"),
    whole("refunded_cents"),
    since("moved_cents", 0),
    maybe_text("agreed"),
    whole("vat_margin"),
    whole("delivery_days"),
    maybe_text("imei"),
    maybe_text("serial"),
    maybe_text("carrier"),
    maybe_text("tracking"),
    text("since"),
    maybe_text("shipped_at"),
    maybe_text("arrives_by"),
    maybe_text("delivered_at"),
    ForeignKeyConstraint(["seller_id", "part_id"], ["part.seller_id", "part.part_id"]),
    CheckConstraint(
        "state in ('to_accept', 'accepted', 'shipped', 'delivered', 'returned', 'cancelled')", name="known_unit_state"
    ),
    CheckConstraint("refunded_cents between 0 and collected_cents + tax_cents", name="refunded_within_collected"),
    CheckConstraint("(state in ('shipped', 'delivered', 'returned')) = (shipped_at is not null)", name="shipped_has_its_time"),
    Index("unit_by_order", "order_id"),
    Index("unit_by_state", "state", "since"),
    Index("unit_of_seller_by_state", "seller_id", "state", "part_id"),
    Index("unit_by_imei", "imei"),
    Index("unit_by_serial", "serial"),
)
unit_step = owned(
    "unit_step",
    key("seller_id", Whole),
    key("part_id"),
    key("line_no", Whole),
    key("unit_no", Whole),
    key("step_no", Whole),
    text("state"),
    text("at"),
    text("by"),
    text("why"),
    maybe_whole("cents"),
    ForeignKeyConstraint(
        ["seller_id", "part_id", "line_no", "unit_no"], ["unit.seller_id", "unit.part_id", "unit.line_no", "unit.unit_no"]
    ),
)
# What stands in for a unit its seller gave up: a unit reserved elsewhere, until the customer takes it, declines, or time is over.
substitution = owned(
    "substitution",
    key("customer_id"),
    key("part_id"),
    key("line_no", Whole),
    key("unit_no", Whole),
    text("order_id"),
    whole("seller_id"),
    text("state"),
    text("stand_in"),
    text("offered_at"),
    text("decide_by"),
    maybe_text("decided_at"),
    CheckConstraint("state in ('offered', 'taken', 'declined', 'expired')", name="known_substitution_state"),
    Index("substitution_by_order", "order_id"),
    Index("substitution_by_state", "state", "decide_by"),
)

# A plan asked of its carrier: `phone` and `rio` are kept until the carrier answered. `decide_by` is when one that waits for its
# customer is given up, null for any other.
activation = owned(
    "activation",
    key("customer_id"),
    key("activation_id"),
    text("order_id"),
    whole("line_no"),
    whole("unit_no"),
    text("partner_id"),
    whole("plan_id"),
    maybe_text("acquisition"),
    maybe_text("phone"),
    maybe_text("rio"),
    text("state"),
    maybe_text("carrier_order_id"),
    text("reason"),
    text("asked_at"),
    text("since"),
    maybe_text("acknowledged_at"),
    maybe_text("decide_by"),
    maybe_text("reminded_at"),
    CheckConstraint(
        "state in ('needs_number', 'to_send', 'sent', 'acknowledged', 'active', 'refused', 'given_up')",
        name="known_activation_state",
    ),
    CheckConstraint("rio is null or state in ('to_send', 'sent')", name="rio_until_answered"),
    Index("activation_by_id", "activation_id"),
    Index("activation_by_order", "order_id"),
    Index("activation_by_state", "state", "since"),
    Index("activation_by_deadline", "decide_by"),
)
seller_counter = owned("seller_counter", key("seller_id", Whole), key("name"), whole("value"))
corner_counter = owned("corner_counter", key("corner_id"), key("name"), whole("value"))
