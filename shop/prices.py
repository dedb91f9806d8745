"""Announced prices start in a held catalogue at their moment, with or without a network.

Invariant: nothing is written while no price is due.
"""

from __future__ import annotations

import logging
from datetime import datetime

from pos import clock, prices
from pos.db import DatabaseError, Store
from pos.errors import DiskFull

LOG = logging.getLogger(__name__)


def catch_up(catalog: Store, now: datetime, *, is_verified: bool = False) -> datetime | None:
    """Put in force what has started by `now` and return when the next price starts; writes only where there is something to do.

    `is_verified` time takes back what a clock far ahead of it started (see `pos.prices.activate`). A catalogue that is missing
    or cannot be written is left to what mends it: pages then go on with the prices they have.
    """
    try:
        database = catalog.read()
        since, due = prices.in_force_since(database), prices.next_start(database)
        if (due is not None and due <= now) or (is_verified and since is not None and since > now):
            with catalog.write() as writer:
                moved = prices.activate(writer, now, is_verified=is_verified)
                due = prices.next_start(writer)
            LOG.info("%d announced price(s) brought to %s", moved, clock.to_text(now))
    except FileNotFoundError:
        return None
    except (DatabaseError, DiskFull) as problem:
        LOG.warning("announced prices could not be brought up to date: %s", problem)
        return None
    return due
