"""Keep the work that goes on beside the requests: jobs, and the timers that enqueue some."""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint

from marketplace.tables.columns import key, maybe_text, text, whole

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables of jobs and timers; what the sweep remembered of itself is a timer's now."""
    op.create_table(
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
        sqlite_strict=True,
    )
    op.create_index("job_by_due", "job", ["state", "due_at"])
    op.create_index("job_by_kind", "job", ["kind", "enqueued_at"])
    op.create_table(
        "timer", key("owner_id"), key("name"), maybe_text("last_at"), text("next_at"), text("note"), sqlite_strict=True
    )
    op.execute("delete from setting where name = 'swept_at'")
