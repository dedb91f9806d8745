"""Ask carriers for the plans of orders."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Index

from marketplace.tables.columns import key, maybe_text, text, whole

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make the table of plans asked of their carriers."""
    op.create_table(
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
        CheckConstraint(
            "state in ('needs_number', 'to_send', 'sent', 'acknowledged', 'active', 'refused', 'given_up')",
            name="known_activation_state",
        ),
        CheckConstraint("rio is null or state in ('to_send', 'sent')", name="rio_until_answered"),
        Index("activation_by_id", "activation_id"),
        Index("activation_by_order", "order_id"),
        sqlite_strict=True,
    )
