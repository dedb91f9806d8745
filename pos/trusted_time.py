"""Trusted time: the wall clock corrected by what HQ last said, and never before a moment HQ has vouched for.

A shop's clock may be wrong by years or stand still at 1970. HQ's signed replies tell the time; how far the clock was off then is
kept as `hq_offset_s`, the latest time so told as `hq_high_water`. Nothing here stops anything: a wrong clock is a fault to show.

Steady time is for what must be waited for: it goes on with the machine's uptime alone, so that no change of the clock shortens
or lengthens a wait. While the machine is off it stands still.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlite_utils import Database

from pos import clock
from pos.clock import Uptime
from pos.ops import setting, store_setting
from pos.tokens import EPOCH

OFFSET = "hq_offset_s"
HIGH_WATER = "hq_high_water"
STEADY = "steady_time"
TOLERATED = timedelta(minutes=5)
NOTICED_S = 2
"""A smaller change of the offset is the way's own delay, and not worth a write."""


def trusted_now(ops: Database, wall: datetime) -> datetime:
    """Return the time to judge expiries and prices by, when the clock on the wall says `wall`."""
    offset = timedelta(seconds=setting(ops, OFFSET) or 0)
    try:
        corrected = wall + offset
    except OverflowError:
        corrected = wall
    return max(corrected, earliest_now(ops))


def earliest_now(ops: Database) -> datetime:
    """Return a time that is surely past: the latest HQ has vouched for, or Comptoir's own beginning."""
    said = setting(ops, HIGH_WATER)
    return clock.from_text(said) if said else EPOCH


def learn_time(ops: Database, hq_time: datetime, *, wall: datetime) -> None:
    """Keep what a verified answer said of the time, received when the clock said `wall`; needs an open `write`."""
    offset_s = round((hq_time - wall).total_seconds())
    known = setting(ops, OFFSET)
    if known is None or abs(offset_s - known) >= NOTICED_S:
        store_setting(ops, OFFSET, offset_s)
    if hq_time > earliest_now(ops):
        store_setting(ops, HIGH_WATER, clock.to_text(hq_time))


def is_clock_wrong(ops: Database) -> bool:
    """Tell whether the clock was off by more than five minutes when HQ last told the time."""
    return bool(abs(setting(ops, OFFSET) or 0) > TOLERATED.total_seconds())


def steady_now(ops: Database, *, wall: datetime, uptime: Uptime) -> datetime:
    """Return the steady time; it begins at what the clock says first and has nothing to do with it from then on."""
    kept = setting(ops, STEADY)
    if kept is None:
        return wall
    # Where a machine names no start, a smaller count shows another.
    is_same_start = kept["boot"] == uptime.boot and kept["seconds"] <= uptime.seconds
    begun = kept["seconds"] if is_same_start else 0
    return clock.from_text(kept["at"]) + timedelta(seconds=uptime.seconds - begun)


def keep_steady(ops: Database, at: datetime, *, uptime: Uptime) -> None:
    """Keep where steady time is, so that it goes on from there after a start; needs an open `write`."""
    store_setting(ops, STEADY, {"at": clock.to_text(at), "boot": uptime.boot, "seconds": uptime.seconds})
