"""What the marketplace keeps for itself: its settings, failed log-ins, and the work that goes on beside the requests."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index

from marketplace.tables.columns import key, maybe_text, owned, reference, text, whole

setting = reference("setting", key("name"), text("value"))
console_failure = reference("console_failure", key("name"), whole("failures"), text("last_at"))

# `due_at` is when a job may be taken: of one that runs, when it may be taken from a worker that died.
job = owned(
    "job",
    key("owner_id"),
    key("job_id"),
    text("kind"),
    text("body"),
    text("state"),
    text("enqueued_at"),
    text("due_at"),
    whole("tries"),
    maybe_text("claimed_at"),
    maybe_text("claimed_by"),
    maybe_text("finished_at"),
    text("error"),
    CheckConstraint("state in ('waiting', 'running', 'done', 'dead', 'set_aside')", name="known_job_state"),
    Index("job_by_due", "state", "due_at"),
    Index("job_by_kind", "kind", "enqueued_at"),
)
timer = owned("timer", key("owner_id"), key("name"), maybe_text("last_at"), text("next_at"), text("note"))
