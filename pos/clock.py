"""The only reader of the wall clock. Times are UTC; as text `YYYY-MM-DDTHH:MM:SSZ`, which sorts as time."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - this is the one reader


def to_text(at: datetime) -> str:
    """Return `at` as `YYYY-MM-DDTHH:MM:SSZ`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote. Raises: ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
