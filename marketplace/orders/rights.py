"""Until when a customer may change their mind, send a device back or claim for it, by the calendar of the order's place.

Invariant: a period does not count the day it runs from, and lasts to the end of its last day (Reg. 1182/71 art. 3).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from marketplace.orders.cases import UnitCase
from marketplace.orders.units import Unit
from pos import clock
from pos.laws import GuaranteeLaw

RETURN_DAYS = 30
"""Our own promise, beside the law's right to withdraw (reference/domain.md §1)."""
SATURDAY = 5
FIXED_HOLIDAYS = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}
AFTER_EASTER = (1, 39, 50)
"""Easter Monday, Ascension and Whit Monday: with the fixed ones the holidays of France (L3133-1 of the labour code)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How long a right lasts: its last day (`YYYY-MM-DD`) and the first moment after it (UTC text); None before it begins."""

    last_day: str | None
    ends_at: str | None

    def is_open(self, at: str) -> bool:
        """Tell whether the right can be used at a moment (UTC text)."""
        return self.ends_at is None or at < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitGuarantees:
    """The guarantees of one unit: the law's, its part in which a defect counts as there from the start, and the seller's own."""

    legal: Period | None
    presumed: Period | None
    commercial: Period | None


def withdrawal_period(units: Iterable[Unit], days: int | None, zone: str) -> Period | None:
    """Return until when the order of one seller's part can be withdrawn from: `days` after its last unit arrived.

    Without days the market knows no such right. A last day that nobody works on moves to the next working day (L221-19).
    """
    return _after_arrival(units, days, zone, to_working_day=True)


def return_period(units: Iterable[Unit], zone: str) -> Period | None:
    """Return until when units of one seller's part can be sent back by our own promise."""
    return _after_arrival(units, RETURN_DAYS, zone, to_working_day=False)


def plan_period(placed_at: str, days: int | None, zone: str) -> Period | None:
    """Return until when a plan can be withdrawn from: a contract of services counts from its conclusion (L221-18)."""
    return None if days is None else _period(_working_day(_day(placed_at, zone) + timedelta(days=days)), zone)


def guarantees_of(
    unit: Unit, cases: Sequence[UnitCase], *, legal_months: int | None, law: GuaranteeLaw | None, own_months: int, zone: str
) -> UnitGuarantees | None:
    """Return the guarantees of a unit that arrived, None of another; `cases` are its own, `legal_months` as was agreed.

    They count from its delivery. By the market's `law` each repair adds months to the legal one, and a seller who replaces what
    the customer wanted repaired begins it anew (in France L217-3, L217-13).
    """
    if unit["state"] != "delivered" or unit["delivered_at"] is None:
        return None
    presumed_months = law.get("presumed_months") if law else None
    begins = _day(unit["delivered_at"], zone)
    ends = months_after(begins, legal_months or 0)
    presumed = months_after(begins, presumed_months or 0)
    for case in sorted(cases, key=lambda case: case["since"]):
        if case["ground"] != "legal" or law is None:
            continue
        if case["state"] == "repaired":
            ends = months_after(ends, law.get("repair_adds_months") or 0)
        if law.get("renewed_by_replacement") and case["state"] == "replaced" and case["wish"] == "repair":
            anew = _day(case["since"], zone)
            ends, presumed = months_after(anew, legal_months or 0), months_after(anew, presumed_months or 0)
    return UnitGuarantees(
        legal=_period(ends, zone) if legal_months else None,
        presumed=_period(presumed, zone) if legal_months and presumed_months else None,
        commercial=_period(months_after(begins, own_months), zone) if own_months else None,
    )


def months_after(day: date, months: int) -> date:
    """Return the same day some months later, or the last of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def arrival_of(unit: Unit) -> str | None:
    """Return when a unit arrived, or must have by its carrier's days (UTC text); None for one that was not shipped."""
    return unit["delivered_at"] or unit["arrives_by"]


def _after_arrival(units: Iterable[Unit], days: int | None, zone: str, *, to_working_day: bool) -> Period | None:
    kept = [unit for unit in units if unit["state"] != "cancelled"]
    if days is None or not kept:
        return None
    arrivals = [at for unit in kept if (at := arrival_of(unit)) is not None]
    if len(arrivals) < len(kept):
        return Period(last_day=None, ends_at=None)
    last = _day(max(arrivals), zone) + timedelta(days=days)
    period = _period(_working_day(last) if to_working_day else last, zone)
    is_there = all(unit["state"] != "shipped" for unit in kept)
    return period if is_there else Period(last_day=None, ends_at=period.ends_at)


def _day(at: str, zone: str) -> date:
    return date.fromisoformat(clock.local_day(clock.from_text(at), zone))


def _period(last: date, zone: str) -> Period:
    after = datetime.combine(last + timedelta(days=1), time(), ZoneInfo(zone))
    return Period(last_day=last.isoformat(), ends_at=clock.to_text(after))


def _working_day(day: date) -> date:
    while day.weekday() >= SATURDAY or _is_holiday(day):
        day += timedelta(days=1)
    return day


def _is_holiday(day: date) -> bool:
    return (day.month, day.day) in FIXED_HOLIDAYS or (day - _easter(day.year)).days in AFTER_EASTER


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (the anonymous algorithm, Nature 1876)."""
    century, rest = divmod(year, 100)
    moon = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    shift = (year % 19 + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * shift + 114, 31)
    return date(year, month, day + 1)
