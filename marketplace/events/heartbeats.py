"""Heartbeats without news: kept in memory for some seconds and written together, so that a quiet fleet costs no transaction each.

Invariant: what a person or a trial acts on is news, and news is written before its answer. Only the time of the last message, the
clock and the disk wait here; a process that dies takes seconds of them along, and the kiosks' next heartbeats bring them again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, text

from marketplace.db import run_tx
from marketplace.fleet import standings
from marketplace.fleet.revocations import Sender
from pos import clock
from sync.heartbeats import Heartbeat, read_heartbeat

WRITTEN_EVERY_S = 5.0
EXTENSION = "quiet_heartbeats"
MOVING = frozenset({"clock", "disk_free", "media_bytes", "claimed"})
"""The fields that differ in each heartbeat of a kiosk to which nothing happens."""
logger = logging.getLogger(__name__)


class QuietHeartbeats:
    """The heartbeats of one process that wait to be written, the last of each device. Several threads at once may use it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._has_some = threading.Event()
        self._waiting: dict[tuple[str, str], dict[str, Any]] = {}

    def take(self, device: Sender, heartbeat: Heartbeat, *, now: datetime) -> bool:
        """Keep a heartbeat that says nothing new, and tell whether it was one; `device` is its row, as `sender` read it."""
        if not is_quiet(device, heartbeat, now=now):
            return False
        with self._lock:
            self._waiting[device["corner_id"], device["key_id"]] = {
                "corner_id": device["corner_id"],
                "key_id": device["key_id"],
                "enrolled_at": device["enrolled_at"],
                "seen_at": clock.to_text(now),
                "heartbeat": json.dumps(heartbeat, ensure_ascii=False),
                "clock_s": standings.clock_s(heartbeat, now),
            }
        self._has_some.set()
        return True

    def write(self) -> int:
        """Write what waits in one transaction and return how many heartbeats that was; after a failure they wait on."""
        with self._lock:
            self._has_some.clear()
            taken, self._waiting = self._waiting, {}
        if not taken:
            return 0
        try:
            # In one order, or two processes could wait for each other's rows.
            run_tx(self._engine, lambda connection: _write(connection, [taken[key] for key in sorted(taken)]))
        except Exception:
            with self._lock:
                self._waiting = taken | self._waiting
            raise
        return len(taken)

    def start(self) -> None:
        """Begin to write in the background, until the process ends."""
        threading.Thread(target=self._go_on, name="heartbeats", daemon=True).start()

    def _go_on(self) -> None:
        while True:
            self._has_some.wait()
            time.sleep(WRITTEN_EVERY_S)
            try:
                self.write()
            except Exception:
                # The database may be down for long: each further try comes after the same wait.
                logger.exception("heartbeats are written later")
                self._has_some.set()


def quiet_heartbeats_of(app: Flask) -> QuietHeartbeats:
    """Return what waits to be written in the process that serves `app`."""
    waiting: QuietHeartbeats = app.extensions[EXTENSION]
    return waiting


def is_quiet(device: Sender, heartbeat: Heartbeat, *, now: datetime) -> bool:
    """Tell whether a heartbeat says what the device's last one said, within the same hour: the history has a row for each.

    A clock that went wrong or a disk that filled up since is news; so is whatever a replaced or quarantined device says.
    """
    seen_at = device["seen_at"]
    if device["superseded_at"] or device["quarantined_at"] or not seen_at or seen_at[:13] != clock.to_text(now)[:13]:
        return False
    last = read_heartbeat(json.loads(device["heartbeat"] or "{}"))
    still = [{name: value for name, value in each.items() if name not in MOVING} for each in (last, heartbeat)]
    return still[0] == still[1] and standings.seen_faults(last, clock.from_text(seen_at)) == standings.seen_faults(heartbeat, now)


def _write(connection: Connection, heartbeats: list[dict[str, Any]]) -> None:
    """Write when each device was last seen; one that said anything later is left as it is."""
    connection.execute(
        text(
            """
            update device set seen_at = :seen_at, heartbeat = :heartbeat
            where corner_id = :corner_id and key_id = :key_id and seen_at < :seen_at and quarantined_at is null
            """
        ),
        heartbeats,
    )
    connection.execute(
        text(
            """
            update standing set seen_at = :seen_at, clock_s = :clock_s
            where corner_id = :corner_id and key_id = :key_id and enrolled_at = :enrolled_at and seen_at < :seen_at
            """
        ),
        heartbeats,
    )
