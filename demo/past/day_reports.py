"""What the other corners of the past tell HQ of their days: counted from the slips that each of them issued."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from demo.corners import Outbox
from demo.past.corners import open_corners, zone_of
from demo.past.story import Story
from pos import clock
from pos.business_days import DAY_BEGINS_HOUR, BusinessDay, business_day_at
from pos.day_reports import FigureRow
from pos.slip_facts import SlipFacts
from pos.told_days import KIND, ToldDay

DAYS = 7
COUNTED_AFTER = timedelta(minutes=10)
"""How long after its end a day is counted: in the night. It travels with whatever a corner sends next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CornerDays:
    """The days of these corners, and the slips that each issued."""

    corners: list[Outbox]
    story: Story
    slips: defaultdict[str, list[SlipFacts]] = field(default_factory=lambda: defaultdict(list))

    def note_newest(self, corner: Outbox) -> None:
        """Remember the slip that a corner just issued and has not sent yet."""
        self.slips[corner.corner_id].append(json.loads(corner.waiting[-1]["body"])["facts"])

    def plan(self) -> None:
        """Plan that the last days are told, each when it is over."""
        for zone in sorted({zone_of(corner.corner_id) for corner in self.corners}):
            today = business_day_at(self.story.until, zone=zone, begins_hour=DAY_BEGINS_HOUR)
            for days in range(1, DAYS + 1):
                day = today.later(-days)
                self.story.plan(clock.from_text(day.end) + COUNTED_AFTER, partial(self._tell, day))

    def _tell(self, day: BusinessDay, at: datetime) -> None:
        some = open_corners(self.corners, self.story, at=at)
        for corner in [corner for corner in some if zone_of(corner.corner_id) == day.zone]:
            corner.record(KIND, told_day(day, self.slips[corner.corner_id], now=at), now=at)


def told_day(day: BusinessDay, slips: Iterable[SlipFacts], *, now: datetime) -> dict[str, Any]:
    """Return what a corner tells of a day that ended, from its slips of whatever day."""
    told: ToldDay = {
        "format": 1,
        "edition": 1,
        "day": day.name,
        "time_zone": day.zone,
        "day_begins_hour": day.begins_hour,
        "from_at": day.start,
        "until_at": day.end,
        "counted_at": clock.to_text(now),
        "figures": list(_figures(day, [slip for slip in slips if day.start <= slip["issued_at"] < day.end])),
    }
    return dict(told)


def _figures(day: BusinessDay, slips: list[SlipFacts]) -> Iterator[FigureRow]:
    yield _figure("slips", "", {}, len(slips))
    for hour in day.hours:
        yield _figure("slips_by_hour", hour.key, {}, sum(hour.start <= slip["issued_at"] < hour.end for slip in slips))
    lines = [line for slip in slips for line in slip["lines"]]
    listings = [(line["listing"]["sku"], {"": line["listing"]["title"]}) for line in lines if line["listing"]]
    plans = [(str(line["plan"]["plan_id"]), line["plan"]["name"]) for line in lines if line["plan"]]
    for figure, named in (("slips_by_sku", listings), ("slips_by_plan", plans)):
        names = dict(named)
        for key, count in Counter(key for key, _ in named).most_common():
            yield _figure(figure, key, names[key], count)


def _figure(figure: str, key: str, name: dict[str, str], value: int) -> FigureRow:
    return {"figure": figure, "key": key, "name": name, "value": value, "voided": 0}
