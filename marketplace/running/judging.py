"""The thread that judges stored events and does HQ's upkeep beside the requests: one, however many workers serve a marketplace.

Invariant: only the worker that holds the directory's lock file judges; the lock ends with its process, and another takes over.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from sqlalchemy import Engine

from marketplace.db import reading, row
from marketplace.events.inbox import judge
from marketplace.running.housekeeping import keep_house
from sync.errors import Busy
from sync.locks import hold

LOCK_FILE = "judging.lock"
IDLE_S = 0.5
TAKE_OVER_S = 2.0
HOUSE_EVERY_S = 15.0
LONGEST_BACKLOG = 50_000
ASKED_EVERY_S = 1.0
logger = logging.getLogger(__name__)


class Judging:
    """Judges what waits in a marketplace's inbox once it was started.

    Where this process is the one that judges, `news` makes it look at once; others look by themselves every half second.
    """

    def __init__(self, engine: Engine, directory: Path, news: threading.Event) -> None:
        self._engine = engine
        self._directory = directory
        self._lock = directory / LOCK_FILE
        self._news = news
        self._is_ended = False

    def start(self) -> threading.Thread:
        """Begin in the background; the thread ends with its process, or after `end`."""
        thread = threading.Thread(target=self._go_on, name="judging", daemon=True)
        thread.start()
        return thread

    def end(self) -> None:
        """Let the thread finish what it is at and end."""
        self._is_ended = True
        self._news.set()

    def _go_on(self) -> None:
        while not self._is_ended:
            try:
                with hold(self._lock):
                    self._judge_all()
            except Busy:
                time.sleep(TAKE_OVER_S)
            except Exception:
                # The events are still stored: the next round judges them.
                logger.exception("judging goes on in a moment")
                time.sleep(TAKE_OVER_S)

    def _judge_all(self) -> None:
        kept_at = float("-inf")
        while not self._is_ended:
            self._news.clear()
            judged = judge(self._engine)
            if time.monotonic() - kept_at >= HOUSE_EVERY_S:
                keep_house(self._engine, self._directory)
                kept_at = time.monotonic()
            if judged == 0:
                self._news.wait(IDLE_S)


class Backlog:
    """Whether so many events wait to be judged that no more should come; looked up once a second at most."""

    def __init__(self, engine: Engine, *, longest: int = LONGEST_BACKLOG) -> None:
        self._engine = engine
        self._longest = longest
        self._asked_at = float("-inf")
        self._is_long = False

    def is_long(self) -> bool:
        """Tell whether the limit is reached."""
        if time.monotonic() - self._asked_at >= ASKED_EVERY_S:
            self._asked_at = time.monotonic()
            query = "select count(*) as n from (select 1 as one from inbox where state = 'new' limit :most) as waiting"
            with reading(self._engine) as connection:
                found = row(connection, query, most=self._longest)
            self._is_long = found is not None and found["n"] >= self._longest
        return self._is_long
