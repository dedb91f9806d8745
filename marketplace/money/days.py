"""Which days money moves on: a market's own days, when a seller's share falls due, when payouts are made."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from marketplace.db import row, rows
from pos import clock
from pos.errors import Invalid

PAYOUT_DAYS = (6, 16, 26)
SETTLED_AFTER = timedelta(minutes=15)
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


def payout_day(day: str) -> str:
    """Return the newest day of payouts that is not after `day`."""
    today = date.fromisoformat(day)
    while today.day not in PAYOUT_DAYS:
        today -= timedelta(days=1)
    return today.isoformat()


def next_payout_day(day: str) -> str:
    """Return the first day of payouts after a day."""
    return next(each for each in (later(day, ahead) for ahead in range(1, 32)) if payout_day(each) == each)


def ready_payout_day(connection: Connection, currency: str, *, now: datetime) -> str | None:
    """Return the newest day of payouts that has begun in every market of a currency; None where there is none.

    It counts as begun a quarter of an hour late: whatever was posted the day before is committed by then.
    """
    return min(map(payout_day, _days(connection, currency, clock.to_text(now - SETTLED_AFTER))), default=None)


def newest_day(connection: Connection, currency: str, at: str) -> str:
    """Return the latest day it is at a moment: HQ's, or that of a market of a currency."""
    return max([clock.local_day(clock.from_text(at), clock.HOME_ZONE), *_days(connection, currency, at)])


def period_before(day: str) -> str:
    """Return the day of payouts before one: the statement of a day begins the day after it."""
    return payout_day(later(day, -1))


def end_of_day(day: str) -> str:
    """Return the first moment after a day of HQ's time zone, in UTC as text. Raises: Invalid."""
    try:
        midnight = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), ZoneInfo(clock.HOME_ZONE))
        return clock.to_text(midnight)
    except (ValueError, OverflowError):
        raise Invalid("not a day: YYYY-MM-DD", field="on") from None


def _days(connection: Connection, currency: str, at: str) -> list[str]:
    found = rows(connection, "select market, body from market")
    markets = [market["market"] for market in found if json.loads(market["body"])["currency"] == currency]
    return [market_day(connection, market, at) for market in markets]
