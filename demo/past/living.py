"""The corners of a past live on while the demo runs: each is heard of every few minutes, as a kiosk with nothing to report."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from demo.past.corners import SILENT, SOFTWARE, corners_heard_of, heartbeat
from marketplace.db import reading, row
from marketplace.events.inbox import store_events
from marketplace.fleet.revocations import sender
from marketplace.installation import opened
from pos import clock

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
                    store_events(engine, device, [], heartbeat=told, now=clock.now())
                    spoken += 1
        return spoken

    def _go_on(self) -> None:
        while not self._is_ended.is_set():
            try:
                self.speak()
            except Exception:
                # The marketplace goes on without them; they try again.
                logger.exception("the corners are heard of later")
            self._is_ended.wait(EVERY_S)
