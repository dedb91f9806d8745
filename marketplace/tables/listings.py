"""What sellers say of their own supply: listings under their own SKU, the keys they say it by, and answers kept for a repeat."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, owned, text, whole

# `sku_folded` is the seller's SKU without regard to case; `held_cents` is a price that waits until the seller confirms it.
seller_listing = owned(
    "seller_listing",
    key("seller_id", Whole),
    key("market"),
    key("sku_folded"),
    text("seller_sku"),
    whole("listing_id"),
    maybe_whole("min_cents"),
    maybe_whole("max_cents"),
    maybe_whole("held_cents"),
    whole("paused"),
    text("changed_at"),
    Index("seller_listing_by_id", "seller_id", "listing_id", unique=True),
)

# `full_at_us` is the moment, in microseconds of UTC, at which the key has all its requests to spend again.
api_key = owned(
    "api_key",
    key("seller_id", Whole),
    key("key_id"),
    text("name"),
    text("sha256"),
    text("scopes"),
    text("created_at"),
    text("expires_at"),
    maybe_text("used_at"),
    maybe_text("revoked_at"),
    whole("full_at_us"),
)

# A write under an `Idempotency-Key`: `claim` names the request that does it, `status` and `body` are its answer.
api_answer = owned(
    "api_answer",
    key("seller_id", Whole),
    key("repeat_key"),
    text("request_sha256"),
    text("claim"),
    text("claimed_at"),
    maybe_whole("status"),
    maybe_text("body"),
    CheckConstraint("(status is null) = (body is null)", name="answer_is_whole"),
    Index("api_answer_by_time", "claimed_at"),
)

# A file of listings a seller sent, and how far it was taken in: `taken` of its `lines` were judged. `problem` is why all of it
# was refused, as JSON. `publication` is the first known to hold it.
seller_import = owned(
    "seller_import",
    key("seller_id", Whole),
    key("import_id"),
    text("market"),
    text("name"),
    text("source"),
    text("state"),
    text("sent_at"),
    maybe_text("ended_at"),
    whole("lines"),
    whole("taken"),
    whole("added"),
    whole("changed"),
    whole("unchanged"),
    whole("held"),
    whole("refused"),
    maybe_whole("publication"),
    maybe_text("problem"),
    CheckConstraint("state in ('waiting', 'running', 'publishing', 'done', 'refused')", name="known_import_state"),
    CheckConstraint("added + changed + unchanged + held + refused = taken", name="import_adds_up"),
    Index("seller_import_by_state", "state", "sent_at"),
)
seller_import_file = owned(
    "seller_import_file", key("seller_id", Whole), key("import_id"), Column("content", LargeBinary, nullable=False)
)

# What became of each line; `problems` are reasons as JSON, empty where there are none.
seller_import_line = owned(
    "seller_import_line",
    key("seller_id", Whole),
    key("import_id"),
    key("line", Whole),
    text("sku"),
    text("outcome"),
    maybe_whole("listing_id"),
    text("problems"),
    CheckConstraint("outcome in ('added', 'changed', 'unchanged', 'held', 'refused')", name="known_outcome"),
)
