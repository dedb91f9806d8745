"""The thread that reads the whole catalogue once a night, and has what is wrong fetched anew.

It works beside pages and rounds: slices with pauses between them, and the directory's lock only for the moment of marking.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from kiosk import files
from pos import clock
from pos.corners import corner
from pos.db import DatabaseError, Store
from pos.errors import PosError
from pos.ops import setting, store_setting
from pos.slip_proofs import SlipAltered, altered
from sync.catalog_files import drop_damaged
from sync.corner.rescan import Pause, is_due, mark_wrong, marked, may_rebuild, wrong_channels
from sync.errors import Busy
from sync.locks import LOCK_FILE, hold

LOG = logging.getLogger("kiosk.rescan")
LOOK_EVERY_S = 300.0
PAUSE_S = 0.02
FILE = "file"
KEPT_TIMES = 8


def start_rescans(kiosk: files.Kiosk, *, call: threading.Event) -> None:
    """Start the nightly reading in the background; damage sets `call`, so that a round comes at once."""
    if kiosk.ops is not None:
        threading.Thread(target=_watch, args=(kiosk, call), name="rescan", daemon=True).start()


def rescan(kiosk: files.Kiosk, ops: Store, *, pause: Pause, now: datetime) -> list[str]:
    """Read the whole catalogue and every slip; mark what is wrong where it may be fetched anew, and return it.

    Raises: Busy while a round runs.
    """
    try:
        wrong = wrong_channels(kiosk.catalog, pause=pause)
        damaged, rebuilt = sorted(wrong), [name for name in wrong if _may_rebuild(ops, name, now)]
        if rebuilt:
            with hold(kiosk.directory / LOCK_FILE):
                mark_wrong(kiosk.catalog, {name: wrong[name] for name in rebuilt}, now=now)
    except FileNotFoundError:
        return []
    except DatabaseError as problem:
        LOG.warning("catalog.db cannot be read through: %s", problem)
        damaged, rebuilt = [FILE], _set_aside(kiosk, ops, now)
    _record(ops, rebuilt, now=now)
    if wrong_records := altered(ops.read()):
        LOG.error("not recorded as made: %s", ", ".join(wrong_records))
        kiosk.faults.setdefault(SlipAltered().code, clock.to_text(now))
    if damaged:
        LOG.warning("rows differ from HQ's in %s; fetched anew: %s", ", ".join(damaged), ", ".join(rebuilt) or "not yet")
        kiosk.faults.setdefault("catalog_damaged", clock.to_text(now))
    else:
        kiosk.faults.pop("catalog_damaged", None)
    return damaged


def _watch(kiosk: files.Kiosk, call: threading.Event) -> None:
    wait = threading.Event()
    while not wait.wait(LOOK_EVERY_S):
        ops = kiosk.ops
        if ops is None:
            return
        try:
            if _is_due(ops, clock.now()) and rescan(kiosk, ops, pause=lambda: time.sleep(PAUSE_S), now=clock.now()):
                call.set()
            elif "catalog_damaged" in kiosk.faults and not marked(kiosk.catalog.read()):
                kiosk.faults.pop("catalog_damaged", None)
        except Busy:
            LOG.info("a round is running; the catalogue is read through later")
        except (PosError, DatabaseError, OSError) as problem:
            LOG.warning("the catalogue was not read through: %s", problem)
        except Exception:
            # A bug here must not end the nightly reading for good.
            LOG.exception("the catalogue was not read through")


def _is_due(ops: Store, now: datetime) -> bool:
    database = ops.read()
    last = setting(database, "rescanned_at")
    zone = ZoneInfo(corner(database).time_zone)
    return is_due(clock.from_text(last) if last else None, now=now, local_hour=now.astimezone(zone).hour)


def _set_aside(kiosk: files.Kiosk, ops: Store, now: datetime) -> list[str]:
    """Put a file that contradicts itself aside, unless that was done too lately; the next round builds another."""
    if not _may_rebuild(ops, FILE, now):
        return []
    with hold(kiosk.directory / LOCK_FILE):
        return [FILE] if drop_damaged(kiosk.catalog) else []


def _may_rebuild(ops: Store, name: str, now: datetime) -> bool:
    return may_rebuild((setting(ops.read(), "rebuilds") or {}).get(name, []), now=now)


def _record(ops: Store, rebuilt: list[str], *, now: datetime) -> None:
    """Keep when everything was read, and when each channel was fetched anew: the guard must outlast a restart."""
    with ops.write() as database:
        store_setting(database, "rescanned_at", clock.to_text(now))
        if rebuilt:
            known = setting(database, "rebuilds") or {}
            for name in rebuilt:
                known[name] = [*known.get(name, []), clock.to_text(now)][-KEPT_TIMES:]
            store_setting(database, "rebuilds", known)
