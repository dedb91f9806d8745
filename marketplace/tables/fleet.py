"""The corners, their devices, and what these tell us."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary

from marketplace.tables.columns import key, maybe_text, maybe_whole, owned, since, text, whole

corner = owned("corner", key("corner_id"), whole("corner_no"), text("market"), text("body"))
corner_ring = owned("corner_ring", key("corner_id"), text("ring"))

# What HQ or a corner's manager changed of its people, over what the feed says of them; `is_added` of whom it never named.
corner_clerk = owned(
    "corner_clerk",
    key("corner_id"),
    key("clerk_id"),
    text("name"),
    text("role"),
    text("state"),
    whole("change_no"),
    whole("reset_no"),
    text("code_hash"),
    text("changed_by"),
    text("changed_at"),
    since("is_added", 1),
    CheckConstraint("role in ('clerk', 'manager', 'support')", name="known_clerk_role"),
    CheckConstraint("state in ('active', 'suspended')", name="known_clerk_state"),
)
device = owned(
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

# One row a corner of the feed, brought up to date by each heartbeat; every index serves one way to sort the fleet.
standing = owned(
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
heartbeat = owned("heartbeat", key("corner_id"), key("at"), key("key_id"), text("state"))

# A key that asked to be a corner's device. What asks here is nobody yet: no slip, event or page knows it before `device` does.
device_request = owned(
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

# From this counter on, what the key signs is no longer ours; what it signed before stays good.
revocation = owned("revocation", key("corner_id"), key("key_id"), whole("from_counter"), text("revoked_at"))
enrolment_code = owned(
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

# A corner's business day by its highest edition, as its kiosk counted it; `figures` are rows of `pos.day_reports`, as JSON.
day_report = owned(
    "day_report",
    key("corner_id"),
    key("day"),
    text("stream"),
    whole("edition"),
    text("time_zone"),
    whole("day_begins_hour"),
    text("from_at"),
    text("until_at"),
    text("counted_at"),
    text("received_at"),
    text("figures"),
    Index("day_report_by_day", "day", "corner_id"),
)

# How each demo device of a corner is by its last word, and how its rounds of the table ended; HQ's plan stands in `corner`.
demo_device = owned(
    "demo_device",
    key("corner_id"),
    key("demo_id"),
    maybe_whole("sku_id"),
    text("state"),
    text("place"),
    maybe_text("since"),
    maybe_text("seen_at"),
    maybe_text("seen_by"),
    maybe_text("back_by"),
    maybe_whole("battery"),
    text("damage"),
    text("noted_at"),
    maybe_text("stream"),
    since("seq", 0),
    CheckConstraint("state in ('unknown', 'present', 'reserve', 'missing', 'loaned', 'stolen')", name="known_demo_state"),
)
demo_round = owned(
    "demo_round",
    key("corner_id"),
    key("begun_at"),
    text("begun_by"),
    text("kind"),
    text("ended_at"),
    text("ended_by"),
    *(whole(name) for name in ("in_place", "elsewhere", "missing", "unseen", "away")),
    CheckConstraint("kind in ('opening', 'closing')", name="known_demo_round"),
)
