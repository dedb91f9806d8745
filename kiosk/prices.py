"""Announced prices start on the kiosk by themselves: at their moment, by trusted time, with or without a network.

Invariant: from the first page after a start-up, and for every slip, what has started is in force.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from kiosk import files
from pos import clock, trusted_time
from pos.db import Store
from pos.shelf_index import shelf_index
from shop.prices import catch_up

LOG = logging.getLogger("kiosk.prices")
LONGEST_SLEEP_S = 60.0
SHORTEST_SLEEP_S = 1.0


def trusted_now(ops: Store | None) -> datetime:
    """Return the time by which prices start; the wall clock's where there are no records."""
    return clock.now() if ops is None else trusted_time.trusted_now(ops.read(), clock.now())


def start_watch(kiosk: files.Kiosk, *, call: threading.Event) -> None:
    """Put in force what has started, then go on doing so in the background; `call` tells that a round may have brought news."""
    catch_up(kiosk.catalog, trusted_now(kiosk.ops))
    threading.Thread(target=_watch, args=(kiosk, call), name="prices", daemon=True).start()


def _watch(kiosk: files.Kiosk, call: threading.Event) -> None:
    while True:
        try:
            now = trusted_now(kiosk.ops)
            wait_s = sleep_s(catch_up(kiosk.catalog, now), now)
            if kiosk.catalog.path.exists():
                # Read before a customer asks: on a page it would cost a quarter of a second.
                shelf_index(kiosk.catalog.read())
        except Exception:
            # A bug here must not end the watch: it is logged whole, and a minute later we try again.
            LOG.exception("announced prices could not be brought up to date")
            wait_s = LONGEST_SLEEP_S
        call.wait(wait_s)
        call.clear()


def sleep_s(due: datetime | None, now: datetime) -> float:
    """Return how long to sleep before the next price starts: a minute at most, since clocks are set and rounds bring prices."""
    if due is None:
        return LONGEST_SLEEP_S
    return min(LONGEST_SLEEP_S, max(SHORTEST_SLEEP_S, (due - now).total_seconds()))
