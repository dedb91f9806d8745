"""The events that kiosks send, stored before they are judged."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index

from marketplace.tables.columns import Whole, key, owned, text, whole

inbox = owned(
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

# What each key sent in an hour, towards its quota; older hours than a day are gone.
sent = owned("sent", key("corner_id"), key("key_id"), key("hour"), whole("events"), whole("bytes"))
