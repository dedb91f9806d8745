"""The events that kiosks send, stored before they are judged."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql

from marketplace.tables.columns import Whole, key, owned, text, whole

ACTS = sql("kind = 'counter_act'")
"""The events of the audit journals."""

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
    Index("inbox_by_act", "corner_id", "recorded_at", sqlite_where=ACTS, postgresql_where=ACTS),
)

# What each key sent in an hour, towards its quota; older hours than a day are gone.
sent = owned("sent", key("corner_id"), key("key_id"), key("hour"), whole("events"), whole("bytes"))
