"""Tell seller's parts, units and their steps apart, and orders to pay from paid ones.

Orders of before were never paid: their units are given back by the timer that releases whatever was reserved too long.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index

from marketplace.tables.columns import Part, Whole, key, maybe_text, maybe_whole, text, whole

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make orders and their lines anew with what they held, and the tables of what becomes of them."""
    for name in ("customer_order", "order_line"):
        op.execute(f"create table {name}_before as select * from {name}")
        op.drop_table(name)
    _orders()
    _parts()
    _units()
    op.execute(
        """
        insert into customer_order
        select customer_id, order_id, number, market, currency, 'open', placed_at, 'slip', 'fr', name, email, lower(email),
          address, facts, totals, placed_at
        from customer_order_before
        """
    )
    op.execute(
        """
        insert into order_line
        select customer_id, order_id, line_no, seller_id, listing_id, null, null, plan_id, null, quantity, basis, total_cents,
          0, 0, 0, 0, 0
        from order_line_before
        """
    )
    for name in ("customer_order", "order_line"):
        op.drop_table(f"{name}_before")


def _orders() -> None:
    _table(
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
        CheckConstraint("state in ('unpaid', 'open', 'paid', 'requested', 'closed')", name="known_order_state"),
        CheckConstraint("(state = 'open') = (reserved_until is not null)", name="open_orders_are_reserved"),
        CheckConstraint("source in ('slip', 'selection')", name="known_order_source"),
        Index("customer_order_by_id", "order_id"),
        Index("customer_order_by_time", "placed_at"),
        Index("customer_order_by_state", "state"),
        Index("customer_order_by_email", "email_folded"),
    )
    _table(
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


def _parts() -> None:
    _table(
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
        Index("part_by_order", "order_id"),
        Index("part_by_change", "seller_id", "changed_no"),
        Index("part_by_time", "paid_at"),
    )


def _units() -> None:
    _table(
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
        CheckConstraint(
            "(state in ('shipped', 'delivered', 'returned')) = (shipped_at is not null)", name="shipped_has_its_time"
        ),
        Index("unit_by_order", "order_id"),
        Index("unit_by_state", "state", "since"),
        Index("unit_by_imei", "imei"),
    )
    _table(
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
    _table("seller_counter", key("seller_id", Whole), key("name"), whole("value"))
    _table("selection_order", key("selection_id"), key("lines_sha256"), text("customer_id"), text("order_id"), text("ordered_at"))


def _table(name: str, *parts: Part) -> None:
    op.create_table(name, *parts, sqlite_strict=True)
