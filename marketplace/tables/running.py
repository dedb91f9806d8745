"""What the marketplace keeps for itself: its settings and failed log-ins."""

from __future__ import annotations

from marketplace.tables.columns import key, reference, text, whole

setting = reference("setting", key("name"), text("value"))
console_failure = reference("console_failure", key("name"), whole("failures"), text("last_at"))
