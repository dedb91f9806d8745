"""How well sellers serve: the thresholds of each day, and each seller's figures night by night."""

from __future__ import annotations

from sqlalchemy import CheckConstraint

from marketplace.tables.columns import Whole, key, owned, since, text, whole

# Rates are of the units paid in the `days` before; below `least_units` of them nobody is judged by rates.
quality_rule = owned(
    "quality_rule",
    key("owner_id"),
    key("valid_from"),
    whole("days"),
    whole("least_units"),
    whole("ship_h"),
    whole("cancel_bp"),
    whole("late_bp"),
    whole("defect_bp"),
    whole("start_quality_bp"),
    whole("trial_units"),
    since("answer_h", 48),
    since("answer_bp", 1500),
    text("made_at"),
    CheckConstraint("days > 0 and least_units > 0 and ship_h > 0", name="quality_rule_counts_something"),
)
# Counts of units paid in the window that ended with `day`: `taken` of the `cancelled` by the timer, `late` of the `due`; of what
# customers `asked` in it, how much was answered late (`slow`), and after how many hours the middle one (`reply_h`).
seller_quality = owned(
    "seller_quality",
    key("seller_id", Whole),
    key("day"),
    whole("units"),
    whole("cancelled"),
    whole("taken"),
    whole("due"),
    whole("late"),
    whole("shipped"),
    whole("returned"),
    whole("defects"),
    since("asked", 0),
    since("slow", 0),
    since("reply_h", 0),
    whole("quality_bp"),
)
