"""Who asks to sell, and what was decided about each seller: applications, their documents, the steps of its standing."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index

from marketplace.tables.columns import Whole, key, maybe_text, owned, text, whole

# `company` names a company in one form: two applications with the same one come from the same company.
seller_application = owned(
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
)
seller_document = owned(
    "seller_document",
    key("seller_id", Whole),
    key("document_no", Whole),
    text("name"),
    text("kind"),
    text("file"),
    whole("length"),
    text("stored_at"),
)

# A step counts from `from_at` on; its reasons are facts, rule and remedy, or quality's figures (`sellers.standing`).
seller_step = owned(
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
)

# People of a seller; a session and a link are known by the hash of their secret alone.
seller_user = owned(
    "seller_user",
    key("seller_id", Whole),
    key("user_id"),
    text("email"),
    text("email_folded"),
    text("role"),
    maybe_text("password_hash"),
    text("created_at"),
    maybe_text("removed_at"),
    CheckConstraint("role in ('owner', 'shipping', 'reader')", name="known_seller_role"),
    Index("seller_user_by_email", "email_folded"),
)
seller_session = owned(
    "seller_session",
    key("seller_id", Whole),
    key("session_sha256"),
    text("user_id"),
    text("started_at"),
    Index("seller_session_by_start", "started_at"),
)
seller_link = owned("seller_link", key("seller_id", Whole), key("link_sha256"), text("user_id"), text("expires_at"))
