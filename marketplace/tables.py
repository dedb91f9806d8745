"""The central database: one set of tables for SQLite, PostgreSQL and a sharded PostgreSQL.

Invariant: the owner key (`corner_id`, `seller_id`, `customer_id`) leads every primary, unique and foreign key; only the small
reference tables in `REFERENCE`, which every shard holds whole, are exempt. No sequences, no triggers, money BIGINT.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

OWNER_KEYS = ("corner_id", "seller_id", "customer_id")

REFERENCE = frozenset(
    {
        "setting",
        "market",
        "law",
        "partner",
        "grade",
        "category",
        "sku",
        "media",
        "plan",
        "option",
        "plan_terms",
        "option_terms",
        "terms_mark",
        "feed_import",
        "console_failure",
    }
)
"""Small shared tables: written by HQ alone, a copy on every shard."""

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")  # STRICT tables know INTEGER, not BIGINT; both hold 64 bits.


def _key(name: str, kind: type[Text] | BigInteger | Integer = Text) -> Column[object]:
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _maybe_text(name: str) -> Column[str]:
    return Column(name, Text, nullable=True)


def _whole(name: str) -> Column[int]:
    return Column(name, Whole, nullable=False)


def _maybe_whole(name: str) -> Column[int]:
    return Column(name, Whole, nullable=True)


def _table(name: str, *parts: Column[object] | Column[str] | Column[int] | Column[bytes] | CheckConstraint | Index) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True)


# What HQ and the feed say about the trade. `body` is JSON text; the columns beside it are those of `pos.catalog.TABLES`.
setting = _table("setting", _key("name"), _text("value"))
market = _table("market", _key("market"), _text("body"))
law = _table("law", _key("law_id"), _text("market"), _text("kind"), _text("valid_from"), _maybe_text("valid_to"), _text("body"))
partner = _table("partner", _key("partner_id"), _text("market"), _text("body"))
grade = _table("grade", _key("grade_id", Whole), _whole("rank"), _text("body"))
category = _table("category", _key("category_id"), _whole("rank"), _text("body"))
seller = _table("seller", _key("seller_id", Whole), _whole("quality_bp"), _whole("suspended"), _text("body"))
sku = _table(
    "sku",
    _key("sku_id", Whole),
    _text("sku"),
    _text("category_id"),
    _text("brand"),
    _text("model"),
    _maybe_whole("storage_gb"),
    _maybe_whole("year"),
    _text("body"),
)
media = _table(
    "media",
    _key("media_id", Whole),
    _maybe_whole("sku_id"),
    _maybe_text("category_id"),
    _text("kind"),
    _whole("rank"),
    _text("sha256"),
    _whole("length"),
    _text("body"),
)
plan = _table("plan", _key("plan_id", Whole), _text("market"), _text("partner_id"), _whole("rank"), _text("body"))
option = _table("option", _key("option_id", Whole), _text("market"), _whole("rank"), _text("body"))
corner = _table("corner", _key("corner_id"), _whole("corner_no"), _text("market"), _text("body"))
corner_ring = _table("corner_ring", _key("corner_id"), _text("ring"))

# A seller's supply. `reserved` counts units ordered here; the feed's own `quantity` never touches it.
listing = _table(
    "listing",
    _key("seller_id", Whole),
    _key("listing_id", Whole),
    _text("market"),
    _whole("sku_id"),
    _whole("grade_id"),
    _whole("price_cents"),
    _whole("shipping_cents"),
    _whole("delivery_days"),
    _whole("warranty_months"),
    _whole("vat_margin"),
    _maybe_whole("battery_pct"),
    _whole("new_battery"),
    _maybe_whole("prior_cents"),
    _text("comment"),
    _text("state"),
    _whole("quantity"),
    _whole("reserved"),
    CheckConstraint("price_cents > 0", name="price_is_positive"),
    CheckConstraint("reserved >= 0", name="reserved_not_negative"),
    CheckConstraint("state in ('online', 'offline', 'withdrawn')", name="known_listing_state"),
    Index("listing_by_id", "listing_id"),
    Index("listing_by_sku", "sku_id", "grade_id"),
)

# A price that starts later; when it does, the listing's row takes it over and this one goes.
price_start = _table(
    "price_start",
    _key("seller_id", Whole),
    _key("price_start_id"),
    _text("market"),
    _whole("listing_id"),
    _text("starts_at"),
    _whole("price_cents"),
    _maybe_whole("prior_cents"),
    CheckConstraint("price_cents > 0", name="price_start_is_positive"),
    Index("price_start_by_time", "starts_at"),
)

# What was published, and from which publication on: a slip's "then". A row holds until the next of the same key; publications
# are counted by market. `line` is empty for what everybody was given, else the trial that alone had it.
listing_terms = _table(
    "listing_terms",
    _key("seller_id", Whole),
    _key("market"),
    _key("listing_id", Whole),
    _key("publication", Whole),
    _text("line"),
    _text("published_at"),
    _whole("sku_id"),
    _whole("grade_id"),
    _whole("price_cents"),
    _whole("shipping_cents"),
    _whole("delivery_days"),
    _whole("warranty_months"),
    _whole("vat_margin"),
    _maybe_whole("battery_pct"),
    _whole("new_battery"),
    _maybe_whole("prior_cents"),
    _whole("withdrawn"),
    Index("listing_terms_by_id", "listing_id", "market", "publication"),
)
price_start_terms = _table(
    "price_start_terms",
    _key("seller_id", Whole),
    _key("market"),
    _key("price_start_id"),
    _key("publication", Whole),
    _text("line"),
    _text("published_at"),
    _whole("listing_id"),
    _text("starts_at"),
    _whole("price_cents"),
    _maybe_whole("prior_cents"),
    _whole("withdrawn"),
    Index("price_start_terms_by_listing", "listing_id", "market", "starts_at"),
    Index("price_start_terms_by_id", "price_start_id", "market", "publication"),
)
plan_terms = _table(
    "plan_terms",
    _key("market"),
    _key("plan_id", Whole),
    _key("publication", Whole),
    _text("line"),
    _text("published_at"),
    _text("body"),
    _whole("withdrawn"),
)
option_terms = _table(
    "option_terms",
    _key("market"),
    _key("option_id", Whole),
    _key("publication", Whole),
    _text("line"),
    _text("published_at"),
    _text("body"),
    _whole("withdrawn"),
)
terms_mark = _table("terms_mark", _key("market"), _key("line"), _whole("publication"), _text("published_at"))

feed_import = _table("feed_import", _key("import_id"), _text("feed"), _text("started_at"), _whole("problems"), _text("report"))
console_failure = _table("console_failure", _key("name"), _whole("failures"), _text("last_at"))

# The corner's device, and what it tells us.
device = _table(
    "device",
    _key("corner_id"),
    _key("key_id"),
    Column("public_key", LargeBinary, nullable=False),
    _text("stream"),
    _text("enrolled_at"),
    _whole("first_counter"),
    _maybe_whole("next_counter"),
    _whole("acked"),
    _maybe_text("superseded_at"),
    _maybe_text("quarantined_at"),
    _maybe_text("seen_at"),
    _maybe_text("heartbeat"),
    Index("device_by_key", "key_id"),
    Index("device_by_quarantine", "quarantined_at", "acked"),
)
# One row a corner of the feed, brought up to date by each heartbeat; every index serves one way to sort the fleet.
standing = _table(
    "standing",
    _key("corner_id"),
    _whole("corner_no"),
    _whole("block"),
    _text("market"),
    _text("name"),
    _text("folded"),
    _text("ring"),
    _text("line"),
    _maybe_text("key_id"),
    _maybe_text("enrolled_at"),
    _text("seen_at"),
    _whole("publication"),
    _text("catalog_at"),
    _whole("pending"),
    _maybe_text("oldest_at"),
    _text("printer"),
    _text("software"),
    _maybe_whole("clock_s"),
    _whole("trouble"),
    _text("faults"),
    _text("state"),
    _text("told_at"),
    Index("standing_by_number", "corner_no", "corner_id"),
    Index("standing_by_trouble", "trouble", "corner_id"),
    Index("standing_by_seen", "seen_at", "corner_id"),
    Index("standing_by_catalog", "catalog_at", "corner_id"),
    Index("standing_by_pending", "pending", "corner_id"),
    Index("standing_by_software", "software", "corner_id"),
    Index("standing_by_publication", "market", "ring", "publication"),
    Index("standing_by_line", "market", "ring", "block", "trouble", "publication", "seen_at"),
)
heartbeat = _table("heartbeat", _key("corner_id"), _key("at"), _key("key_id"), _text("state"))
# A key that asked to be a corner's device. What asks here is nobody yet: no slip, event or page knows it before `device` does.
device_request = _table(
    "device_request",
    _key("corner_id"),
    _key("key_id"),
    Column("public_key", LargeBinary, nullable=False),
    _text("selector"),
    _text("stream"),
    _text("fingerprint"),
    _text("asked_at"),
    _text("expires_at"),
    _text("state"),
    _maybe_text("decided_at"),
    CheckConstraint("state in ('waiting', 'confirmed', 'refused')", name="known_request_state"),
    Index("device_request_by_key", "key_id"),
    Index("device_request_by_state", "state", "expires_at"),
)
# From this counter on, what the key signs is no longer ours; what it signed before stays good.
revocation = _table("revocation", _key("corner_id"), _key("key_id"), _whole("from_counter"), _text("revoked_at"))
enrolment_code = _table(
    "enrolment_code",
    _key("corner_id"),
    _key("selector"),
    _text("secret_sha256"),
    _text("created_at"),
    _text("expires_at"),
    _whole("must_confirm"),
    _whole("tries"),
    _maybe_text("used_at"),
    _maybe_text("used_by"),
    Index("enrolment_code_by_selector", "selector"),
)
inbox = _table(
    "inbox",
    _key("corner_id"),
    _key("key_id"),
    _key("stream"),
    _key("seq", Whole),
    _text("kind"),
    _text("body"),
    _text("sha256"),
    _text("prev"),
    _text("recorded_at"),
    _text("received_at"),
    _text("state"),
    _text("reason"),
    _text("note"),
    CheckConstraint("state in ('new', 'judged', 'dead', 'set_aside')", name="known_inbox_state"),
    Index("inbox_by_state", "state", "corner_id", "key_id", "stream", "seq"),
)
# What each key sent in an hour, towards its quota; older hours than a day are gone.
sent = _table("sent", _key("corner_id"), _key("key_id"), _key("hour"), _whole("events"), _whole("bytes"))
slip = _table(
    "slip",
    _key("corner_id"),
    _key("key_id"),
    _key("counter", Whole),
    _text("number"),
    _text("digits"),
    _text("facts"),
    _text("issued_at"),
    _text("valid_until"),
    _text("received_at"),
    _maybe_text("difference"),
    Index("slip_by_time", "issued_at"),
    Index("slip_by_corner", "corner_id", "issued_at"),
    Index(
        "slip_by_difference",
        "corner_id",
        "issued_at",
        sqlite_where=text("difference is not null"),
        postgresql_where=text("difference is not null"),
    ),
)
slip_void = _table("slip_void", _key("corner_id"), _key("key_id"), _key("counter", Whole), _text("reason"), _text("voided_at"))

# A claim ties a slip to the one order it became; matched is the fact that claim and slip share their key.
claim = _table(
    "claim",
    _key("corner_id"),
    _key("key_id"),
    _key("counter", Whole),
    _text("number"),
    _text("customer_id"),
    _text("order_id"),
    _text("claimed_at"),
    _maybe_text("difference"),
    Index("claim_by_time", "claimed_at"),
    Index("claim_by_corner", "corner_id", "claimed_at"),
)
customer_order = _table(
    "customer_order",
    _key("customer_id"),
    _key("order_id"),
    _text("number"),
    _text("market"),
    _text("currency"),
    _text("state"),
    _text("name"),
    _text("email"),
    _text("address"),
    _text("facts"),
    _text("totals"),
    _text("placed_at"),
    CheckConstraint("state in ('to_confirm', 'accepted', 'shipped', 'cancelled')", name="known_order_state"),
    Index("customer_order_by_id", "order_id"),
    Index("customer_order_by_time", "placed_at"),
    Index("customer_order_by_state", "state"),
)
order_line = _table(
    "order_line",
    _key("customer_id"),
    _key("order_id"),
    _key("line_no", Whole),
    _maybe_whole("seller_id"),
    _maybe_whole("listing_id"),
    _maybe_whole("plan_id"),
    _whole("quantity"),
    _text("basis"),
    _whole("total_cents"),
    CheckConstraint("basis in ('then', 'now', 'replaced', 'dropped')", name="known_basis"),
)
