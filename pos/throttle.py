"""How often a secret may be guessed: some tries are free, then every one waits twice as long as the one before.

Invariant: a try is claimed before its secret is looked at. It counts as failed in the transaction that allows it, so that many
at once get no further than many in turn, and no hash is computed for a try that was not allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pos import clock

Execute = Callable[[str, dict[str, Any]], Any]
"""Runs one statement with named values on the kiosk's or HQ's database, and returns what has `fetchone`."""

NO_WAIT = timedelta()
FORGOTTEN = timedelta(days=1)
"""Who tried nothing for so long begins anew, and leaves no row behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """A rule, and the table that counts for it: the name of whoever is throttled in `key`, `failures`, `last_at`."""

    table: str
    key: str
    free_tries: int
    first_wait: timedelta
    longest_wait: timedelta

    def wait(self, execute: Execute, name: str, *, now: datetime) -> timedelta:
        """Return how long every further try is refused."""
        found = execute(f"select failures, last_at from {self.table} where {self.key} = :name", {"name": name}).fetchone()
        failures, last_at = found or (0, "")
        if failures < self.free_tries:
            return NO_WAIT
        wait = min(self.longest_wait, self.first_wait * (1 << min(failures - self.free_tries, 10)))
        elapsed = now - clock.from_text(last_at)
        # A failure that lies ahead was noted by a clock since set back: it must not lock anybody out until then.
        return max(NO_WAIT, wait - elapsed) if elapsed >= NO_WAIT else NO_WAIT

    def claim(self, execute: Execute, name: str, *, now: datetime) -> timedelta:
        """Count a try as failed and return no wait, or return how long to wait; inside the caller's write transaction."""
        wait = self.wait(execute, name, now=now)
        if wait:
            return wait
        execute(f"delete from {self.table} where last_at < :until", {"until": clock.to_text(now - FORGOTTEN)})
        execute(
            f"""
            insert into {self.table} ({self.key}, failures, last_at) values (:name, 1, :now)
            on conflict ({self.key}) do update set failures = {self.table}.failures + 1, last_at = excluded.last_at
            """,
            {"name": name, "now": clock.to_text(now)},
        )
        return NO_WAIT

    def forgive(self, execute: Execute, name: str) -> None:
        """Forget the failures of whoever knew the secret; inside the caller's write transaction."""
        execute(f"delete from {self.table} where {self.key} = :name", {"name": name})


def whole_seconds(wait: timedelta) -> int:
    """Return a wait in seconds, never less than it is."""
    return -int(-wait.total_seconds() // 1)
