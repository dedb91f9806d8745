"""Tell sellers of a feed from sellers with a desk; keep applications, their documents, and the steps of each seller."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Index

from marketplace.tables.columns import Whole, key, maybe_text, text, whole

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the sellers anew, all of them a feed's, and the tables of applications and steps."""
    op.execute("create table seller_before as select * from seller")
    op.drop_table("seller")
    op.create_table(
        "seller",
        key("seller_id", Whole),
        whole("quality_bp"),
        whole("suspended"),
        text("body"),
        text("source"),
        text("state"),
        CheckConstraint("source in ('feed', 'desk')", name="known_seller_source"),
        CheckConstraint("state in ('trial', 'active', 'warned', 'suspended', 'closed')", name="known_seller_state"),
        sqlite_strict=True,
    )
    op.execute(
        """
        insert into seller
        select seller_id, quality_bp, suspended, body, 'feed', case when suspended = 1 then 'suspended' else 'active' end
        from seller_before
        """
    )
    op.drop_table("seller_before")
    _applications()


def _applications() -> None:
    op.create_table(
        "seller_application",
        key("seller_id", Whole),
        text("state"),
        text("company"),
        text("email"),
        text("language"),
        text("body"),
        text("applied_at"),
        maybe_text("link_sha256"),
        maybe_text("confirmed_at"),
        CheckConstraint("state in ('unconfirmed', 'applied', 'refused', 'admitted')", name="known_application_state"),
        Index("seller_application_by_company", "company"),
        Index("seller_application_by_state", "state", "applied_at"),
        sqlite_strict=True,
    )
    op.create_table(
        "seller_document",
        key("seller_id", Whole),
        key("document_no", Whole),
        text("name"),
        text("kind"),
        text("file"),
        whole("length"),
        text("stored_at"),
        sqlite_strict=True,
    )
    op.create_table(
        "seller_step",
        key("seller_id", Whole),
        key("step_no", Whole),
        text("state"),
        text("at"),
        text("from_at"),
        text("by"),
        text("facts"),
        text("rule"),
        text("remedy"),
        CheckConstraint("state in ('refused', 'trial', 'active', 'warned', 'suspended', 'closed')", name="known_seller_step"),
        Index("seller_step_by_time", "from_at"),
        sqlite_strict=True,
    )
