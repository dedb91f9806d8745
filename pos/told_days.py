"""What HQ is told of each business day that ended: the figures of the day report, as an event.

A day is told once, and again under its next edition where news changed what its figures say: a slip that became an order, a paper
that was settled late, a slip voided days after. What did not change is not told again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Literal

from sqlite_utils import Database

from pos import clock, outbox
from pos.business_days import BusinessDay, business_day_at
from pos.corners import Corner
from pos.day_reports import BY_PERSON, OTHERS, DayFacts, FigureRow, day_report, first_day
from pos.db import Store

KIND = "day_report"
RETOLD_DAYS = 14
"""How long news of a day is told: as long as its slips are valid."""
CAUGHT_UP_DAYS = 62
"""How far back a kiosk that was off tells what it never told."""
MOST_ROWS, LONGEST_NAME = 250, 80
"""Of one figure and of a name in an event; the rows that follow are summed under `OTHERS`."""


class ToldDay(DayFacts):
    """A day in an event: the same day's highest `edition` is the one that holds."""

    format: Literal[1]
    edition: int


def tell_days(store: Store, corner: Corner, *, now: datetime) -> int:
    """Record an event for each ended day of which HQ does not know what its figures say now; return how many. `now` is trusted.

    Idempotent. Raises: Unrecordable.
    """
    ops = store.read()
    today = business_day_at(now, zone=corner.time_zone, begins_hour=corner.day_begins_hour)
    told = dict(ops.execute("select day, sha256 from told_day where day >= ?", [today.later(-CAUGHT_UP_DAYS).name]).fetchall())
    count = 0
    for name in _due(ops, today, told):
        facts = day_report(ops, corner, name, now=now).facts
        facts["figures"] = list(_fitting(facts["figures"]))
        digest = hashlib.sha256(json.dumps({**facts, "counted_at": ""}, sort_keys=True).encode()).hexdigest()
        if told.get(name) != digest:
            with store.write() as writer:
                count += _tell(writer, facts, digest, now=now)
    return count


def _due(ops: Database, today: BusinessDay, told: dict[str, str]) -> Iterator[str]:
    """Yield the ended days to look at, the oldest first: the last ones, and those before that were never told."""
    first = first_day(ops, today)
    for back in range(CAUGHT_UP_DAYS, 0, -1):
        name = today.later(-back).name
        if name >= first and (back <= RETOLD_DAYS or name not in told):
            yield name


def _tell(ops: Database, facts: DayFacts, digest: str, *, now: datetime) -> bool:
    """Record a day's next edition, unless another process just did."""
    [(edition, known)] = ops.execute("select max(edition), max(sha256) from told_day where day = ?", [facts["day"]])
    if known == digest:
        return False
    told: ToldDay = {**facts, "format": 1, "edition": (edition or 0) + 1}
    outbox.record(ops, KIND, dict(told), now=now)
    ops.execute(
        """
        insert into told_day (day, edition, sha256, told_at) values (?, ?, ?, ?)
        on conflict (day) do update set edition = excluded.edition, sha256 = excluded.sha256, told_at = excluded.told_at
        """,
        [facts["day"], told["edition"], digest, clock.to_text(now)],
    )
    return True


def _fitting(rows: list[FigureRow]) -> Iterator[FigureRow]:
    """Yield the rows of an event: of each figure at most `MOST_ROWS`, so that the fullest day can travel."""
    for figure, group in groupby(rows, key=itemgetter("figure")):
        every = list(group)
        for row in every[:MOST_ROWS]:
            names = {} if figure in BY_PERSON else row["name"]
            yield {**row, "name": {language: name[:LONGEST_NAME] for language, name in names.items()}}
        if others := every[MOST_ROWS:]:
            value, voided = (sum(row[count] or 0 for row in others) for count in ("value", "voided"))
            yield {"figure": figure, "key": OTHERS, "name": {}, "value": value, "voided": voided}
