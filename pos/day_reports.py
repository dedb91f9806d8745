"""The day report: what one business day of the corner held, counted from ops.db.

One set of SQL answers the screen, the file, the paper and HQ alike; what each figure means is said in `pos.day_words`. Nothing is
kept: any day can be counted again, and a figure about what became of its slips and papers may then differ.
How times count: a slip by the minute printed on it, which HQ's time corrects and which never runs backwards; a paper and what was
noted of a demo device by the kiosk's clock at that moment. A day is cut by the time zone the corner has when it is counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypedDict

from sqlite_utils import Database

from pos import clock
from pos.business_days import BusinessDay, business_day, business_day_at
from pos.corners import Corner
from pos.db import snapshot
from pos.errors import NotFound
from pos.slip_claims import heard_s

WEEK = 7
BY_PERSON = frozenset({"bundles_helped"})
"""Figures by clerk: names stay at the corner, and at HQ they are summed over people."""
OTHERS = "*"
"""The key under which what a list leaves out is summed."""
OF_DAY = "slip_line left join slip_void using (number) where issued_at >= :start and issued_at < :end"


class FigureRow(TypedDict):
    """One count of a figure, for one `key` of what it is counted by ("" for the whole).

    `name` is what the key is called, by language, "" for a name that all languages share; empty where the key says it.
    `voided` is how many of `value` were voided since; None where that asks for nothing.
    """

    figure: str
    key: str
    name: dict[str, str]
    value: int
    voided: int | None


class DayFacts(TypedDict):
    """A day as it is told: its figures with when it began, up to when it was counted (`until_at`), and when that was done."""

    day: str
    time_zone: str
    day_begins_hour: int
    from_at: str
    until_at: str
    counted_at: str
    figures: list[FigureRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The slips of the same weekday a week before, up to the moment (UTC text) that is as late in its day as now in ours."""

    day: BusinessDay
    until: str
    slips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """A day's figures, in the order of `FIGURES`; `is_over` tells that nothing more is added to it.

    `first_day` is the earliest day there is a report of; `compared` is None where the corner did not work a week before;
    `heard_s` is how many seconds ago HQ last said all it knew of the corner's slips, None where it never did.
    """

    day: BusinessDay
    counted_at: str
    is_over: bool
    rows: tuple[FigureRow, ...]
    first_day: str
    compared: Compared | None
    heard_s: int | None

    @property
    def facts(self) -> DayFacts:
        """The day as it is told."""
        return {
            "day": self.day.name,
            "time_zone": self.day.zone,
            "day_begins_hour": self.day.begins_hour,
            "from_at": self.day.start,
            "until_at": self.day.end if self.is_over else self.counted_at,
            "counted_at": self.counted_at,
            "figures": list(self.rows),
        }

    @property
    def figures(self) -> tuple[str, ...]:
        """The ids of all figures, in their order."""
        return tuple(FIGURES)

    @property
    def hours_begun(self) -> int:
        """How many of the day's hours have begun."""
        return sum(hour.start <= self.counted_at for hour in self.day.hours)

    def of(self, figure: str) -> list[FigureRow]:
        """Return the rows of one figure."""
        return [row for row in self.rows if row["figure"] == figure]

    def total(self, figure: str) -> int:
        """Return the sum of a figure's rows."""
        return sum(row["value"] for row in self.of(figure))


def _papers(*states: str) -> str:
    return f"""
        select kind, null, count(*), null from print_job
        where requested_at >= :start and requested_at < :end and state in ({", ".join(f"'{state}'" for state in states)})
        group by kind order by kind
        """


FIGURES: Mapping[str, str] = MappingProxyType(
    {
        "slips": """
        select '', null, count(*), count(slip_void.number)
        from slip left join slip_void using (number) where issued_at >= :start and issued_at < :end
        """,
        "slips_by_hour": """
        select hour.value ->> 0, null, count(slip.number), count(slip_void.number)
        from json_each(:hours) as hour
        left join slip on slip.issued_at >= hour.value ->> 1 and slip.issued_at < hour.value ->> 2
        left join slip_void using (number)
        group by hour.key order by hour.key
        """,
        "slips_by_sku": f"""
        select sku, json_object('', max(title)), count(distinct number), count(distinct slip_void.number)
        from {OF_DAY} and sku is not null
        group by sku order by 3 desc, sku
        """,
        "slips_by_plan": f"""
        select plan_id, max(plan_name), count(distinct number), count(distinct slip_void.number)
        from {OF_DAY} and plan_id is not null
        group by plan_id order by 3 desc, plan_id
        """,
        "bundles_helped": """
        select helped_by, null, count(distinct slip.number), count(distinct slip_void.number)
        from slip join slip_line on slip_line.number = slip.number
        left join slip_void on slip_void.number = slip.number
        where slip.issued_at >= :start and slip.issued_at < :end and helped_by is not null
          and sku is not null and plan_id is not null
        group by helped_by order by helped_by
        """,
        "claimed": """
        select slip_claim.state, null, count(*), count(slip_void.number)
        from slip join slip_claim using (key_id, counter) left join slip_void using (number)
        where issued_at >= :start and issued_at < :end
        group by slip_claim.state order by slip_claim.state
        """,
        "papers_printed": _papers("confirmed"),
        "papers_uncertain": _papers("uncertain"),
        "papers_failed": _papers("failed"),
        "papers_waiting": _papers("queued", "sending", "sent"),
        "demo_events": """
        select kind, null, count(*), null from demo_device_event where at >= :start and at < :end group by kind order by kind
        """,
        "labels_confirmed": """
        select '', null, count(*), null from shelf_label where confirmed_at >= :start and confirmed_at < :end
        """,
        "labels_stale": """
        select '', null, count(*), null from shelf_label where stale_at < :end and (ended_at is null or ended_at >= :end)
        """,
    }
)
"""Every figure's SQL by its id: key, name, value, and how many of that were voided. `:hours` are `[key, start, end]` each."""


def day_report(ops: Database, corner: Corner, name: str | None = None, *, now: datetime) -> DayReport:
    """Count the day that begins on a date, or today as far as it has come; `now` is trusted time.

    Raises: NotFound for a day to come, and for one before the first of which anything is known.
    """
    today = business_day_at(now, zone=corner.time_zone, begins_hour=corner.day_begins_hour)
    day = business_day(name, zone=today.zone, begins_hour=today.begins_hour) if name else today
    with snapshot(ops):
        first = first_day(ops, today)
        if not first <= day.name <= today.name:
            raise NotFound(f"no report of {day.name}: the first is of {first}, the last of {today.name}")
        return DayReport(
            day=day,
            counted_at=clock.to_text(now),
            is_over=day.name < today.name,
            rows=tuple(_rows(ops, day, corner)),
            first_day=first,
            compared=_compared(ops, day, first, counted_at=clock.to_text(now)),
            heard_s=heard_s(ops, now=now),
        )


def first_day(ops: Database, today: BusinessDay) -> str:
    """Return the first day of which a figure counts something, today where none is: a clock that ran ahead hides no today."""
    [firsts_at] = ops.execute(
        """
        select (select min(issued_at) from slip), (select min(requested_at) from print_job),
          (select min(at) from demo_device_event)
        """
    ).fetchall()
    firsts = [business_day_at(clock.from_text(at), zone=today.zone, begins_hour=today.begins_hour).name for at in firsts_at if at]
    return min([*firsts, today.name])


def _rows(ops: Database, day: BusinessDay, corner: Corner) -> list[FigureRow]:
    values = {"start": day.start, "end": day.end, "hours": json.dumps(day.hours)}
    people = {clerk["clerk_id"]: {"": clerk["name"]} for clerk in corner.clerks}

    def named(figure: str, key: str, name: str | None) -> dict[str, str]:
        told: dict[str, str] = json.loads(name) if name else people.get(key, {}) if figure in BY_PERSON else {}
        return told

    return [
        {"figure": figure, "key": str(key), "name": named(figure, str(key), name), "value": value, "voided": voided}
        for figure, sql in FIGURES.items()
        for key, name, value, voided in ops.execute(sql, values)
    ]


def _compared(ops: Database, day: BusinessDay, first: str, *, counted_at: str) -> Compared | None:
    """Return the slips of a week before, of a day under way up to the same time of the day: like is compared with like."""
    before = day.later(-WEEK)
    if before.name < first:
        return None
    until = before.end if counted_at >= day.end else min(day.same_time(-WEEK, counted_at), before.end)
    count = "select count(*) from slip where issued_at >= ? and issued_at < ?"
    [(slips,)] = ops.execute(count, [before.start, until])
    return Compared(day=before, until=until, slips=slips)
