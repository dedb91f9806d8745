"""Two servers asked in turns, so that a machine whose speed drifts is as fast for the one as for the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure import Browser

CONNECTIONS = 8
ROUNDS = 6
ROUND_S = 1.5
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Served:
    """Addresses asked one after the other of the server at a port, with a cookie where they need one."""

    port: int
    paths: Sequence[str]
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of the pages measured and of what stands beside them."""

    own: float
    other: float

    @property
    def ratio(self) -> float:
        """How many times the other's it is."""
        return self.own / self.other


def times_in_turn(own: Served, other: Served) -> tuple[Pair, list[float]]:
    """Return the median time of a page at one connection each, in ms, and what our server says each of its own took."""
    browsers = Browser(own.port, cookie=own.cookie), Browser(other.port)
    times: tuple[list[float], list[float]] = ([], [])
    said: list[float] = []
    for browser, served in zip(browsers, (own, other), strict=True):
        browser.times_ms(served.paths[:WARM_UP])
    for paths in zip(own.paths, other.paths, strict=True):
        for browser, path, taken in zip(browsers, paths, times, strict=True):
            seen, served_ms = browser.times_ms([path])
            taken.extend(seen)
            said.extend(served_ms)
    return Pair(median(times[0]), median(times[1])), said


def rates_in_turn(own: Served, other: Served) -> Pair:
    """Return the median requests a second over rounds in turns, with `CONNECTIONS` connections asking at once."""
    rates = [(_rate(own), _rate(other)) for _ in range(ROUNDS)]
    return Pair(median(own_rate for own_rate, _ in rates), median(other_rate for _, other_rate in rates))


def _rate(served: Served) -> float:
    """Return the requests a second of one round, each connection beginning at another address. Raises: what a request raised."""
    counts: list[int] = []
    failures: list[Exception] = []
    begins = time.perf_counter()

    def ask(first: int) -> None:
        browser, count = Browser(served.port), 0
        try:
            while time.perf_counter() - begins < ROUND_S:
                browser.times_ms([served.paths[(first + count) % len(served.paths)]])
                count += 1
        except Exception as failure:  # noqa: BLE001 - raised again below, where it is seen
            failures.append(failure)
        counts.append(count)

    step = max(1, len(served.paths) // CONNECTIONS)
    threads = [threading.Thread(target=ask, args=(number * step,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - begins)
