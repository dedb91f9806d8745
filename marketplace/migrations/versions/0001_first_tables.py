"""The tables as they were when versions began."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Text
from sqlalchemy import text as sql

from marketplace.tables.columns import Part, Whole, key, maybe_text, maybe_whole, text, whole

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of every subject, and those of the protocol."""
    _content()
    _supply()
    _terms_of_listings()
    _terms_of_plans()
    _corners()
    _standings()
    _enrolment()
    _inbox()
    _slips()
    _orders()
    _settings()
    _protocol()


def _content() -> None:
    _table("market", key("market"), text("body"))
    _table("law", key("law_id"), text("market"), text("kind"), text("valid_from"), maybe_text("valid_to"), text("body"))
    _table("partner", key("partner_id"), text("market"), text("body"))
    _table("grade", key("grade_id", Whole), whole("rank"), text("body"))
    _table("category", key("category_id"), whole("rank"), text("body"))
    _table("seller", key("seller_id", Whole), whole("quality_bp"), whole("suspended"), text("body"))
    _table(
        "sku",
        key("sku_id", Whole),
        text("sku"),
        text("category_id"),
        text("brand"),
        text("model"),
        maybe_whole("storage_gb"),
        maybe_whole("year"),
        text("body"),
    )
    _table(
        "media",
        key("media_id", Whole),
        maybe_whole("sku_id"),
        maybe_text("category_id"),
        text("kind"),
        whole("rank"),
        text("sha256"),
        whole("length"),
        text("body"),
    )
    _table("plan", key("plan_id", Whole), text("market"), text("partner_id"), whole("rank"), text("body"))
    _table("option", key("option_id", Whole), text("market"), whole("rank"), text("body"))


def _supply() -> None:
    _table(
        "listing",
        key("seller_id", Whole),
        key("listing_id", Whole),
        text("market"),
        whole("sku_id"),
        whole("grade_id"),
        whole("price_cents"),
        whole("shipping_cents"),
        whole("delivery_days"),
        whole("warranty_months"),
        whole("vat_margin"),
        maybe_whole("battery_pct"),
        whole("new_battery"),
        maybe_whole("prior_cents"),
        text("comment"),
        text("state"),
        whole("quantity"),
        whole("reserved"),
        CheckConstraint("price_cents > 0", name="price_is_positive"),
        CheckConstraint("reserved >= 0", name="reserved_not_negative"),
        CheckConstraint("state in ('online', 'offline', 'withdrawn')", name="known_listing_state"),
        Index("listing_by_id", "listing_id"),
        Index("listing_by_sku", "sku_id", "grade_id"),
    )
    _table(
        "price_start",
        key("seller_id", Whole),
        key("price_start_id"),
        text("market"),
        whole("listing_id"),
        text("starts_at"),
        whole("price_cents"),
        maybe_whole("prior_cents"),
        CheckConstraint("price_cents > 0", name="price_start_is_positive"),
        Index("price_start_by_time", "starts_at"),
    )
    _table("feed_import", key("import_id"), text("feed"), text("started_at"), whole("problems"), text("report"))


def _terms_of_listings() -> None:
    _table(
        "listing_terms",
        key("seller_id", Whole),
        key("market"),
        key("listing_id", Whole),
        key("publication", Whole),
        text("line"),
        text("published_at"),
        whole("sku_id"),
        whole("grade_id"),
        whole("price_cents"),
        whole("shipping_cents"),
        whole("delivery_days"),
        whole("warranty_months"),
        whole("vat_margin"),
        maybe_whole("battery_pct"),
        whole("new_battery"),
        maybe_whole("prior_cents"),
        whole("withdrawn"),
        Index("listing_terms_by_id", "listing_id", "market", "publication"),
    )
    _table(
        "price_start_terms",
        key("seller_id", Whole),
        key("market"),
        key("price_start_id"),
        key("publication", Whole),
        text("line"),
        text("published_at"),
        whole("listing_id"),
        text("starts_at"),
        whole("price_cents"),
        maybe_whole("prior_cents"),
        whole("withdrawn"),
        Index("price_start_terms_by_listing", "listing_id", "market", "starts_at"),
        Index("price_start_terms_by_id", "price_start_id", "market", "publication"),
    )


def _terms_of_plans() -> None:
    _table(
        "plan_terms",
        key("market"),
        key("plan_id", Whole),
        key("publication", Whole),
        text("line"),
        text("published_at"),
        text("body"),
        whole("withdrawn"),
    )
    _table(
        "option_terms",
        key("market"),
        key("option_id", Whole),
        key("publication", Whole),
        text("line"),
        text("published_at"),
        text("body"),
        whole("withdrawn"),
    )
    _table("terms_mark", key("market"), key("line"), whole("publication"), text("published_at"))


def _corners() -> None:
    _table("corner", key("corner_id"), whole("corner_no"), text("market"), text("body"))
    _table("corner_ring", key("corner_id"), text("ring"))
    _table(
        "device",
        key("corner_id"),
        key("key_id"),
        Column("public_key", LargeBinary, nullable=False),
        text("stream"),
        text("enrolled_at"),
        whole("first_counter"),
        maybe_whole("next_counter"),
        whole("acked"),
        maybe_text("superseded_at"),
        maybe_text("quarantined_at"),
        maybe_text("seen_at"),
        maybe_text("heartbeat"),
        Index("device_by_key", "key_id"),
        Index("device_by_quarantine", "quarantined_at", "acked"),
    )


def _standings() -> None:
    _table(
        "standing",
        key("corner_id"),
        whole("corner_no"),
        whole("block"),
        text("market"),
        text("name"),
        text("folded"),
        text("ring"),
        text("line"),
        maybe_text("key_id"),
        maybe_text("enrolled_at"),
        text("seen_at"),
        whole("publication"),
        text("catalog_at"),
        whole("pending"),
        maybe_text("oldest_at"),
        text("printer"),
        text("software"),
        maybe_whole("clock_s"),
        whole("trouble"),
        text("faults"),
        text("state"),
        text("told_at"),
        Index("standing_by_number", "corner_no", "corner_id"),
        Index("standing_by_trouble", "trouble", "corner_id"),
        Index("standing_by_seen", "seen_at", "corner_id"),
        Index("standing_by_catalog", "catalog_at", "corner_id"),
        Index("standing_by_pending", "pending", "corner_id"),
        Index("standing_by_software", "software", "corner_id"),
        Index("standing_by_publication", "market", "ring", "publication"),
        Index("standing_by_line", "market", "ring", "block", "trouble", "publication", "seen_at"),
    )
    _table("heartbeat", key("corner_id"), key("at"), key("key_id"), text("state"))


def _enrolment() -> None:
    _table(
        "device_request",
        key("corner_id"),
        key("key_id"),
        Column("public_key", LargeBinary, nullable=False),
        text("selector"),
        text("stream"),
        text("fingerprint"),
        text("asked_at"),
        text("expires_at"),
        text("state"),
        maybe_text("decided_at"),
        CheckConstraint("state in ('waiting', 'confirmed', 'refused')", name="known_request_state"),
        Index("device_request_by_key", "key_id"),
        Index("device_request_by_state", "state", "expires_at"),
    )
    _table("revocation", key("corner_id"), key("key_id"), whole("from_counter"), text("revoked_at"))
    _table(
        "enrolment_code",
        key("corner_id"),
        key("selector"),
        text("secret_sha256"),
        text("created_at"),
        text("expires_at"),
        whole("must_confirm"),
        whole("tries"),
        maybe_text("used_at"),
        maybe_text("used_by"),
        Index("enrolment_code_by_selector", "selector"),
    )


def _inbox() -> None:
    _table(
        "inbox",
        key("corner_id"),
        key("key_id"),
        key("stream"),
        key("seq", Whole),
        text("kind"),
        text("body"),
        text("sha256"),
        text("prev"),
        text("recorded_at"),
        text("received_at"),
        text("state"),
        text("reason"),
        text("note"),
        CheckConstraint("state in ('new', 'judged', 'dead', 'set_aside')", name="known_inbox_state"),
        Index("inbox_by_state", "state", "corner_id", "key_id", "stream", "seq"),
    )


def _slips() -> None:
    _table(
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
    _table("slip_void", key("corner_id"), key("key_id"), key("counter", Whole), text("reason"), text("voided_at"))
    _table(
        "claim",
        key("corner_id"),
        key("key_id"),
        key("counter", Whole),
        text("number"),
        text("customer_id"),
        text("order_id"),
        text("claimed_at"),
        maybe_text("difference"),
        Index("claim_by_time", "claimed_at"),
        Index("claim_by_corner", "corner_id", "claimed_at"),
    )


def _orders() -> None:
    _table(
        "customer_order",
        key("customer_id"),
        key("order_id"),
        text("number"),
        text("market"),
        text("currency"),
        text("state"),
        text("name"),
        text("email"),
        text("address"),
        text("facts"),
        text("totals"),
        text("placed_at"),
        CheckConstraint("state in ('to_confirm', 'accepted', 'shipped', 'cancelled')", name="known_order_state"),
        Index("customer_order_by_id", "order_id"),
        Index("customer_order_by_time", "placed_at"),
        Index("customer_order_by_state", "state"),
    )
    _table(
        "order_line",
        key("customer_id"),
        key("order_id"),
        key("line_no", Whole),
        maybe_whole("seller_id"),
        maybe_whole("listing_id"),
        maybe_whole("plan_id"),
        whole("quantity"),
        text("basis"),
        whole("total_cents"),
        CheckConstraint("basis in ('then', 'now', 'replaced', 'dropped')", name="known_basis"),
    )


def _settings() -> None:
    _table("setting", key("name"), text("value"))
    _table("console_failure", key("name"), whole("failures"), text("last_at"))


def _protocol() -> None:
    op.create_table(
        "sync_dirty",
        Column("market", Text, primary_key=True),
        Column("table_name", Text, primary_key=True),
        Column("row_key", Text, primary_key=True),
        Column("gen", BigInteger, nullable=False),
    )
    op.create_table(
        "sync_publication",
        Column("market", Text, primary_key=True),
        Column("publication", Integer, primary_key=True, autoincrement=False),
        Column("line", Text, nullable=False),
        Column("published_at", Text, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "sync_trial",
        Column("market", Text, primary_key=True),
        Column("trial_id", Text, primary_key=True),
        Column("opened_at", Text, nullable=False),
        Column("shares", Text, nullable=False),
        Column("forks", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("closed_at", Text),
        Column("reason", Text),
    )
    op.create_table(
        "sync_held",
        Column("market", Text, primary_key=True),
        Column("table_name", Text, primary_key=True),
        Column("row_key", Text, primary_key=True),
        Column("trial_id", Text, nullable=False),
        Column("row", Text, nullable=False),
    )


def _table(name: str, *parts: Part) -> None:
    op.create_table(name, *parts, sqlite_strict=True)
