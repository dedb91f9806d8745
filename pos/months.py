"""What is due month by month, in runs of equal months: what every sentence that sums up months is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Any

from pos.totals import HORIZON_MONTHS, Line, line_totals, schedule

Span = tuple[int, int]
"""How many months on end, and what each of them costs in cents."""


@lru_cache(maxsize=4096)
def spans(lines: tuple[Line, ...]) -> tuple[Span, ...]:
    """Return the months of these lines together, in cents, over the longest horizon among them (`pos.totals`)."""
    return runs(schedule(lines, max((line_totals(line).horizon_months for line in lines), default=0))[1:])


def plan_spans(line: Mapping[str, Any]) -> tuple[Span, ...]:
    """Return the months of the plan alone of a line of a slip's facts; one that costs nothing costs it for two years."""
    return spans((Line.from_slip({**line, "listing": None, "options": []}),)) or ((HORIZON_MONTHS, 0),)


def runs(months: Iterable[int]) -> tuple[Span, ...]:
    """Return amounts by month in runs of equal ones."""
    return tuple((len(list(same)), cents) for cents, same in groupby(months))
