"""Which days money moves on: a market's own days, and when a seller's share falls due."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from marketplace.db import row
from pos import clock
from pos.errors import Invalid

DELAY_DAYS = 10
"""Days from shipping until a seller's share may be paid (reference/domain.md §2)."""


def market_day(connection: Connection, market: str, at: str) -> str:
    """Return the day it is at a moment in a market, whose time zone is that of its first corner (`YYYY-MM-DD`)."""
    corner = row(connection, "select body from corner where market = :market order by corner_no limit 1", market=market)
    zone = json.loads(corner["body"])["time_zone"] if corner else clock.HOME_ZONE
    return clock.local_day(clock.from_text(at), zone)


def later(day: str, days: int) -> str:
    """Return the day some days after another."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def end_of_day(day: str) -> str:
    """Return the first moment after a day of HQ's time zone, in UTC as text. Raises: Invalid."""
    try:
        midnight = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), ZoneInfo(clock.HOME_ZONE))
        return clock.to_text(midnight)
    except (ValueError, OverflowError):
        raise Invalid("not a day: YYYY-MM-DD", field="on") from None
