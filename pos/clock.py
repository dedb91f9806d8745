"""The only reader of the wall clock. Times are UTC; as text `YYYY-MM-DDTHH:MM:SSZ`, which sorts as time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOME_ZONE = "Europe/Paris"
"""Where a kiosk is that does not know its corner, and where HQ sits."""

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


class Uptime(NamedTuple):
    """How long this machine has been on, in seconds that no change of its clock touches; `boot` names since which start."""

    boot: str
    seconds: int


_HELD: list[datetime] = []
"""The moments this process is held at, the innermost last; empty but while somebody tells of another day."""


def now() -> datetime:
    """Return the current time in UTC, to the second."""
    return _HELD[-1] if _HELD else datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - this is the one reader


def uptime() -> Uptime:
    """Return how long this machine has been on, sleep included. Source: Linux, `CLOCK_BOOTTIME` and `boot_id`."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        # A container may hide it.
        boot = ""
    return Uptime(boot, int(time.clock_gettime(time.CLOCK_BOOTTIME)))


@contextmanager
def held_at(moment: datetime) -> Iterator[None]:
    """Let it be `moment` for the whole process, all its threads, during the block: for what makes a past, as the demo does."""
    _HELD.append(moment.astimezone(UTC).replace(microsecond=0))
    try:
        yield
    finally:
        _HELD.pop()


def to_text(at: datetime) -> str:
    """Return `at` as `YYYY-MM-DDTHH:MM:SSZ`."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote, and no other form. Raises: ValueError."""
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a time as we write it")
    return datetime.fromisoformat(text)


def local_day(at: datetime, zone: str) -> str:
    """Return the day it is in a time zone at this moment, as `YYYY-MM-DD`: laws and claims go by the day of their place."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def is_text(value: object) -> bool:
    """Tell whether this is a moment as `to_text` writes it, of a year that any time zone can show; never raises."""
    try:
        return isinstance(value, str) and 1900 <= from_text(value).year < 3000
    except ValueError:
        return False
