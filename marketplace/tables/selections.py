"""What customers are composing at the marketplace, as `pos.selections` keeps it: whoever knows a selection's id owns it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index

from marketplace.tables.columns import Whole, key, maybe_whole, owned, text, whole

selection = owned(
    "selection",
    key("selection_id"),
    text("created_at"),
    text("touched_at"),
    Index("selection_by_touch", "touched_at"),
)
selection_line = owned(
    "selection_line",
    key("selection_id"),
    key("line_no", Whole),
    maybe_whole("listing_id"),
    maybe_whole("plan_id"),
    whole("quantity"),
    text("options"),
    text("acquisition"),
    maybe_whole("seen_cents"),
    ForeignKeyConstraint(["selection_id"], ["selection.selection_id"], ondelete="CASCADE"),
    CheckConstraint("quantity between 1 and 9", name="quantity_in_reach"),
    CheckConstraint("acquisition in ('new', 'port', 'renewal')", name="known_acquisition"),
    CheckConstraint("listing_id is not null or plan_id is not null or options <> '[]'", name="line_has_content"),
)

# The order that these lines of a selection became for one e-mail address: whose they are is part of the hash.
selection_order = owned(
    "selection_order",
    key("selection_id"),
    key("lines_sha256"),
    text("customer_id"),
    text("order_id"),
    text("ordered_at"),
)
