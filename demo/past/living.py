"""The corners of a past live on while the demo runs: each is heard of every few minutes, and tells of its day when that ended."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from sqlalchemy import Connection

from demo.corners import next_event
from demo.past.corners import SILENT, SOFTWARE, corners_heard_of, heartbeat, zone_of
from demo.past.day_reports import told_day
from marketplace.db import reading, row, rows
from marketplace.events.inbox import judge, read_events, store_events
from marketplace.fleet.revocations import Sender, sender
from marketplace.installation import opened
from pos import clock
from pos.business_days import DAY_BEGINS_HOUR, business_day_at
from pos.outbox import CHAIN_START
from pos.told_days import KIND
from sync.messages import OutboxEvent

EVERY_S = 240.0
logger = logging.getLogger(__name__)


class LivingCorners:
    """Speaks for the corners of the past of the marketplace in `directory`, from `start` to `stop`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="corners", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Fall silent."""
        self._is_ended.set()
        self._thread.join()

    def speak(self) -> int:
        """Let each corner say once how it stands, and return how many did; one that has another kiosk by now is left alone."""
        with opened(self._directory) as engine:
            spoken = 0
            for corner_id in corners_heard_of()[SILENT:]:
                if self._is_ended.is_set():
                    break
                with reading(engine) as connection:
                    query = "select key_id from device where corner_id = :corner_id and superseded_at is null"
                    known = row(connection, query, corner_id=corner_id)
                    device = sender(connection, known["key_id"]) if known else None
                said = json.loads(device["heartbeat"] or "{}") if device else {}
                if device is not None and said.get("software") == SOFTWARE:
                    told = heartbeat(self._directory, corner_id, said, now=clock.now())
                    with reading(engine) as connection:
                        events = read_events(_ended_day(connection, device))
                    store_events(engine, device, events, heartbeat=told, now=clock.now())
                    spoken += 1
            judge(engine)
        return spoken

    def _go_on(self) -> None:
        while not self._is_ended.is_set():
            try:
                self.speak()
            except Exception:
                # The marketplace goes on without them; they try again.
                logger.exception("the corners are heard of later")
            self._is_ended.wait(EVERY_S)


def _ended_day(connection: Connection, device: Sender) -> list[OutboxEvent]:
    """Return the event of the day that a corner ended last, as its next one; nothing where it told of that day."""
    corner_id, now = device["corner_id"], clock.now()
    day = business_day_at(now, zone=zone_of(corner_id), begins_hour=DAY_BEGINS_HOUR).later(-1)
    about = {"corner_id": corner_id, "key_id": device["key_id"], "stream": device["stream"], "acked": device["acked"]}
    told = "select 1 as one from day_report where corner_id = :corner_id and day = :day"
    if row(connection, told, corner_id=corner_id, day=day.name) is not None:
        return []
    of_device = "from inbox where corner_id = :corner_id and key_id = :key_id and stream = :stream"
    issued = rows(connection, f"select body {of_device} and kind = 'slip_issued' and seq <= :acked", **about)
    newest = row(connection, f"select sha256 {of_device} and seq = :acked", **about)
    body = told_day(day, [json.loads(event["body"])["facts"] for event in issued], now=now)
    return [next_event(KIND, body, seq=device["acked"], last=newest["sha256"] if newest else CHAIN_START, now=now)]
