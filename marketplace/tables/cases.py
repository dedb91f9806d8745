"""What customers declared and asked for after an order: withdrawals as they were acknowledged, cases of units and their steps."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, owned, since, text

# Written once and never changed: the durable acknowledgement of a declaration. `statement` is JSON, a `Declaration`.
withdrawal = owned(
    "withdrawal",
    key("customer_id"),
    key("order_id"),
    key("withdrawal_no", Whole),
    text("declared_at"),
    text("statement"),
)

# `due_at` is when the seller is late; null while the customer is to act, and when the case has ended.
unit_case = owned(
    "unit_case",
    key("seller_id", Whole),
    key("part_id"),
    key("line_no", Whole),
    key("unit_no", Whole),
    key("case_no", Whole),
    text("customer_id"),
    text("order_id"),
    text("ground"),
    text("wish"),
    text("state"),
    maybe_text("remedy"),
    text("said"),
    text("opened_at"),
    text("since"),
    maybe_text("due_at"),
    maybe_text("tracking"),
    maybe_whole("cents"),
    since("presumed", 0),
    ForeignKeyConstraint(
        ["seller_id", "part_id", "line_no", "unit_no"], ["unit.seller_id", "unit.part_id", "unit.line_no", "unit.unit_no"]
    ),
    CheckConstraint("ground in ('withdrawal', 'return', 'legal', 'commercial')", name="known_ground"),
    CheckConstraint("wish in ('refund', 'repair', 'replacement', 'reduction')", name="known_wish"),
    CheckConstraint(
        "state in ('asked', 'granted', 'sent', 'received', 'refunded', 'repaired', 'replaced', 'refused', 'dropped')",
        name="known_case_state",
    ),
    Index("unit_case_by_order", "order_id"),
    Index("unit_case_by_due", "due_at"),
)
case_step = owned(
    "case_step",
    key("seller_id", Whole),
    key("part_id"),
    key("line_no", Whole),
    key("unit_no", Whole),
    key("case_no", Whole),
    key("step_no", Whole),
    text("state"),
    text("at"),
    text("by"),
    text("why"),
    maybe_whole("cents"),
    ForeignKeyConstraint(
        ["seller_id", "part_id", "line_no", "unit_no", "case_no"],
        [
            "unit_case.seller_id",
            "unit_case.part_id",
            "unit_case.line_no",
            "unit_case.unit_no",
            "unit_case.case_no",
        ],
    ),
)
