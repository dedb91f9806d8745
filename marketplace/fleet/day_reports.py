"""The corners' business days as their kiosks told them, one by one and summed.

A day is kept as its kiosk counted it (`pos.day_reports`), under its highest edition. Beside it stands how many slips of that day
HQ itself holds: where the two differ somebody should look. Sums hold only what can be added: each corner's own day of that date,
hours by the wall clock of each place, nothing by person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from marketplace.db import changed, row, rows
from pos import clock
from pos.business_days import DAY_BEGINS_HOUR, business_day
from pos.day_reports import BY_PERSON, FIGURES, DayFacts, FigureRow
from pos.errors import NotFound

UNSAID: dict[str, Any] = {"name": {}, "voided": None}
"""What a count means that leaves these out."""
LATEST = 14
DAYS = """
    select day_report.*, corner.corner_no, corner.body as corner,
      (
        select count(*) from slip
        where slip.corner_id = day_report.corner_id
          and slip.issued_at >= day_report.from_at and slip.issued_at < day_report.until_at
      ) as held
    from day_report join corner on corner.corner_id = day_report.corner_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CornerDay:
    """One corner's day as told; `held` is how many slips issued in it HQ holds itself."""

    corner_id: str
    corner_no: int
    name: str
    edition: int
    facts: DayFacts
    held: int

    @property
    def slips(self) -> int:
        """How many slips the kiosk counted."""
        return sum(each["value"] for each in self.facts["figures"] if each["figure"] == "slips")

    @property
    def voided(self) -> int:
        """How many of them were voided."""
        return sum(each["voided"] or 0 for each in self.facts["figures"] if each["figure"] == "slips")


@dataclass(frozen=True, slots=True)
class Untold:
    """Corners with a device by then whose day is not told: `missing` though it ended, as (id, name); how many not yet over."""

    missing: list[tuple[str, str]]
    under_way: int


def keep_day(connection: Connection, event: dict[str, Any], body: dict[str, Any]) -> None:
    """Keep a day as an event tells it, which is as declared; unless a later edition of the same records is kept.

    Other records speak for the corner from when they are heard: another device stands there, or the same was enrolled again.
    """
    figures = [
        {**UNSAID, **{name: figure[name] for name in FigureRow.__annotations__ if name in figure}} for figure in body["figures"]
    ]
    changed(
        connection,
        """
        insert into day_report
          (corner_id, day, stream, edition, time_zone, day_begins_hour, from_at, until_at, counted_at, received_at, figures)
        values (:corner_id, :day, :stream, :edition, :time_zone, :day_begins_hour, :from_at, :until_at, :counted_at, :received_at,
          :figures)
        on conflict (corner_id, day) do update set stream = excluded.stream, edition = excluded.edition,
          time_zone = excluded.time_zone, day_begins_hour = excluded.day_begins_hour, from_at = excluded.from_at,
          until_at = excluded.until_at, counted_at = excluded.counted_at, received_at = excluded.received_at,
          figures = excluded.figures
        where (excluded.stream = day_report.stream and excluded.edition > day_report.edition)
          or (excluded.stream <> day_report.stream and excluded.received_at >= day_report.received_at)
        """,
        **{name: event[name] for name in ("corner_id", "stream", "received_at")},
        **{name: body[name] for name in ("day", "edition", "time_zone", "from_at", "until_at", "counted_at")},
        day_begins_hour=body.get("day_begins_hour", DAY_BEGINS_HOUR),
        figures=json.dumps(figures, ensure_ascii=False),
    )


def corner_days(connection: Connection, day: str) -> list[CornerDay]:
    """Return every corner's day of a date that was told, by the corner's number."""
    return [
        _corner_day(each) for each in rows(connection, f"{DAYS} where day_report.day = :day order by corner.corner_no", day=day)
    ]


def corner_day(connection: Connection, corner_id: str, day: str) -> CornerDay:
    """Return one corner's day. Raises: NotFound."""
    where = "where day_report.corner_id = :corner_id and day_report.day = :day"
    stored = row(connection, f"{DAYS} {where}", corner_id=corner_id, day=day)
    if stored is None:
        raise NotFound(f"{corner_id} told nothing of {day}")
    return _corner_day(stored)


def newest_days(connection: Connection, corner_id: str) -> list[CornerDay]:
    """Return the last days a corner told, the newest first."""
    latest = f"where day_report.corner_id = :corner_id order by day_report.day desc limit {LATEST}"
    return [_corner_day(each) for each in rows(connection, f"{DAYS} {latest}", corner_id=corner_id)]


def untold(connection: Connection, day: str, *, now: datetime) -> Untold:
    """Return the corners whose day of a date is not told, of those that had a device before it ended."""
    silent = rows(
        connection,
        """
        select corner.corner_id, corner.body, min(device.enrolled_at) as since
        from corner join device on device.corner_id = corner.corner_id
        where not exists (select 1 from day_report where day_report.corner_id = corner.corner_id and day_report.day = :day)
        group by corner.corner_id, corner.body, corner.corner_no order by corner.corner_no
        """,
        day=day,
    )
    missing, under_way = [], 0
    for corner in silent:
        body = json.loads(corner["body"])
        ends = business_day(day, zone=body["time_zone"], begins_hour=body.get("day_begins_hour", DAY_BEGINS_HOUR)).end
        if corner["since"] < ends <= clock.to_text(now):
            missing.append((corner["corner_id"], body["name"]))
        elif corner["since"] < ends:
            under_way += 1
    return Untold(missing, under_way)


def summed(days: Iterable[CornerDay], day: str) -> list[FigureRow]:
    """Return the sums over corners, figure by figure; models and plans by how often, hours by the clock."""
    sums: dict[tuple[str, str], FigureRow] = {}
    for told in days:
        for figure in told.facts["figures"]:
            key = _summed_key(figure, day)
            total = sums.setdefault((figure["figure"], key), {**figure, "key": key, "value": 0, "voided": None})
            total["value"] += figure["value"]
            if figure["voided"] is not None:
                total["voided"] = (total["voided"] or 0) + figure["voided"]
    places = {name: place for place, name in enumerate(FIGURES)}
    return sorted(sums.values(), key=lambda total: (places.get(total["figure"], len(places)), total["figure"], _rank(total)))


def _summed_key(told: FigureRow, day: str) -> str:
    if told["figure"] in BY_PERSON:
        return ""
    return f"{day}{told['key'][10:16]}" if told["figure"] == "slips_by_hour" else told["key"]


def _rank(total: FigureRow) -> tuple[int, str]:
    if total["figure"] == "slips_by_hour":
        return (int(total["key"][11:13]) - DAY_BEGINS_HOUR) % 24, ""
    return -total["value"], total["key"]


def _corner_day(stored: dict[str, Any]) -> CornerDay:
    names = ("day", "time_zone", "day_begins_hour", "from_at", "until_at", "counted_at")
    told: Any = {**{name: stored[name] for name in names}, "figures": json.loads(stored["figures"])}
    return CornerDay(
        corner_id=stored["corner_id"],
        corner_no=stored["corner_no"],
        name=json.loads(stored["corner"])["name"],
        edition=stored["edition"],
        facts=told,
        held=stored["held"],
    )
