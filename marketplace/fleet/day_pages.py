"""`/console/days`: the corners' business days of a date, summed and one by one, and which are missing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, Response, request

from marketplace.db import reading
from marketplace.fleet.day_reports import CornerDay, Untold, corner_day, corner_days, summed, untold
from marketplace.web import marketplace
from pos import clock
from pos.csv_files import csv_text
from pos.day_reports import FigureRow
from pos.day_words import day_words
from pos.errors import Invalid
from shop.door import visitor
from shop.web import render_template
from templates import PATH

MOST_CORNERS = 200
"""Shown one by one, those first that somebody should look at; the file has all."""

pages = Blueprint("days", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysPage:
    """A date's figures by their id, summed over the corners that told theirs; `others` more corners are not listed."""

    day: str
    figures: dict[str, list[FigureRow]]
    corners: list[CornerDay]
    others: int
    untold: Untold

    @property
    def before(self) -> str:
        """The day before."""
        return _later(self.day, -1)

    @property
    def after(self) -> str:
        """The day after."""
        return _later(self.day, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CornerDayPage:
    """One corner's day and its figures by their id."""

    told: CornerDay
    figures: dict[str, list[FigureRow]]


@pages.get("/days")
def days() -> str:
    """Show the corners' days of a date, of yesterday's where none is asked for."""
    day = _day(request.args.get("on") or _later(clock.local_day(clock.now(), clock.HOME_ZONE), -1))
    with reading(marketplace().engine) as connection:
        told = corner_days(connection, day)
        silent = untold(connection, day, now=clock.now())
    listed = sorted(told, key=lambda each: (each.slips == each.held, each.corner_no))
    page = DaysPage(
        day=day,
        figures=_by_figure(summed(told, day)),
        corners=listed[:MOST_CORNERS],
        others=len(listed[MOST_CORNERS:]),
        untold=silent,
    )
    return render_template("marketplace/fleet/days.html", page=page)


@pages.get("/days/<day>/figures.csv")
def figures(day: str) -> Response:
    """Send every corner's figures of a date as one long table."""
    day = _day(day)
    with reading(marketplace().engine) as connection:
        told = corner_days(connection, day)
    table = day_words(visitor().language, PATH).table((each.corner_id, each.facts) for each in told)
    kept = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="days-{day}.csv"'}
    return Response(f"\ufeff{csv_text(list(table))}", headers=kept)


@pages.get("/corners/<corner_id>/days/<day>")
def of_corner(corner_id: str, day: str) -> str:
    """Show one corner's day."""
    with reading(marketplace().engine) as connection:
        told = corner_day(connection, corner_id, _day(day))
    page = CornerDayPage(told=told, figures=_by_figure(told.facts["figures"]))
    return render_template("marketplace/fleet/corner_day.html", page=page)


def _by_figure(rows: list[FigureRow]) -> dict[str, list[FigureRow]]:
    figures: dict[str, list[FigureRow]] = defaultdict(list)
    for row in rows:
        figures[row["figure"]].append(row)
    return dict(figures)


def _day(text: str) -> str:
    """Return a day that has days beside it. Raises: Invalid."""
    try:
        known = date.fromisoformat(text)
        if 2000 <= known.year < 3000:
            return known.isoformat()
    except ValueError:
        pass
    raise Invalid("not a day: YYYY-MM-DD", field="on")


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
