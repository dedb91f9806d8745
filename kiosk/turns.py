"""How many requests compute at once: two, however many threads there are.

Python runs one thread at a time, and more threads at work only take the interpreter from each other: eight answered six tenths
of the pages a second that one did. The others wait their turn; whoever waits for a printer gives its turn up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from shop.web import ARRIVED
from sync.static_files import App, StartResponse

AT_ONCE = 2
"""While one reads its file, which needs no interpreter, the other computes."""


class Turns:
    """Lets a few requests at a time into an app."""

    def __init__(self) -> None:
        self._places = threading.Semaphore(AT_ONCE)
        self._own = threading.local()

    def before(self, app: App) -> App:
        """Return the app behind these turns."""

        def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            environ[ARRIVED] = time.perf_counter()
            with self._places:
                self._own.has_turn = True
                try:
                    return app(environ, start_response)
                finally:
                    self._own.has_turn = False

        return answer

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Let others compute while this thread waits for something outside; without a turn, nothing is given up."""
        if not getattr(self._own, "has_turn", False):
            yield
            return
        self._own.has_turn = False
        self._places.release()
        try:
            yield
        finally:
            self._places.acquire()
            self._own.has_turn = True
