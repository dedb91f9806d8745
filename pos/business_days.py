"""A corner's business day: from its hour of the day's beginning to the same hour of the next day, by the clock on its wall.

A day at whose night the clock is changed has 23 or 25 hours; what happens before the hour belongs to the day before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pos import clock
from pos.errors import NotFound

DAY_BEGINS_HOUR = 4
"""The hour at which a corner's day begins where HQ says nothing: no store is open then."""
LATEST_HOUR = 11
"""A day begins in its own morning."""
QUARTER_S = 900
"""Time zones change their clocks, and differ from UTC, by whole quarters of an hour."""
HOUR_KEY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):00[+-][0-9]{2}:[0-9]{2}", re.ASCII)
"""The form of an hour's key."""


class HourOfDay(NamedTuple):
    """An hour as the wall clock shows it, from `start` up to `end` (UTC texts).

    `key` is its local time with the offset from UTC, so that the two hours of a night when the clock is put back differ.
    """

    key: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class BusinessDay:
    """A day by the date on which it begins (`name`, `YYYY-MM-DD`), from `start` up to `end` (UTC texts)."""

    name: str
    zone: str
    begins_hour: int
    start: str
    end: str

    @property
    def hours(self) -> list[HourOfDay]:
        """The hours of the day in their order: 24, on a day of a clock change 23 or 25."""
        first, last = (int(clock.from_text(text).timestamp()) for text in (self.start, self.end))
        zone = ZoneInfo(self.zone)
        quarters = (datetime.fromtimestamp(seconds, zone) for seconds in range(first, last, QUARTER_S))
        starts = [(key, next(group)) for key, group in groupby(quarters, key=_hour_key)]
        ends = [*(clock.to_text(start) for _, start in starts[1:]), self.end]
        return [HourOfDay(key, clock.to_text(start), end) for (key, start), end in zip(starts, ends, strict=True)]

    def later(self, days: int) -> BusinessDay:
        """Return the day so many days after this one, or before it where negative. Raises: NotFound beyond the calendar."""
        try:
            name = (date.fromisoformat(self.name) + timedelta(days=days)).isoformat()
        except OverflowError:
            raise NotFound("no such day") from None
        return business_day(name, zone=self.zone, begins_hour=self.begins_hour)

    def same_time(self, days: int, at: str) -> str:
        """Return the moment (UTC text) at which the wall clock showed, some days later or earlier, what it shows at `at`."""
        local = clock.from_text(at).astimezone(ZoneInfo(self.zone))
        return clock.to_text(datetime.combine(local.date() + timedelta(days=days), local.time(), ZoneInfo(self.zone)))


def business_day(name: str, *, zone: str, begins_hour: int) -> BusinessDay:
    """Return the day that begins on a date (`YYYY-MM-DD`). Raises: NotFound where there is no such date."""
    try:
        begins_on = date.fromisoformat(name)
        start, end = (_beginning(each, zone, begins_hour) for each in (begins_on, begins_on + timedelta(days=1)))
        return BusinessDay(begins_on.isoformat(), zone, begins_hour, clock.to_text(start), clock.to_text(end))
    except (ValueError, OverflowError):
        raise NotFound(f"no day {name[:20]!r}") from None


def business_day_at(at: datetime, *, zone: str, begins_hour: int) -> BusinessDay:
    """Return the day to which a moment belongs."""
    begins_on = at.astimezone(ZoneInfo(zone)).date()
    while at < _beginning(begins_on, zone, begins_hour):
        begins_on -= timedelta(days=1)
    return business_day(begins_on.isoformat(), zone=zone, begins_hour=begins_hour)


def _beginning(begins_on: date, zone: str, begins_hour: int) -> datetime:
    """Return the first moment at which the wall clock shows the hour; where it skips the hour, the moment it does so."""
    return datetime.combine(begins_on, time(begins_hour), ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))


def _hour_key(local: datetime) -> str:
    text = local.isoformat()
    return f"{text[:13]}:00{text[19:]}"
