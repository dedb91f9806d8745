"""A simulated fleet against a running marketplace: each corner asks, backs off and sends as a kiosk does, on its own connection.

It measures what the marketplace answers. Corners build no catalogues and draw no pages, so that hundreds of them fit into a part
of one core; what they ask for, and when, is what kiosks ask for: `sync.corner.schedule`, `demo.following`, `demo.kiosks`.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from demo.corners import Outbox, Slips, enrol_corners, name_of
from demo.following import Poll
from demo.kiosks import HEARTBEAT_S, LoadKiosk
from demo.usage import cpu_s, server_processes
from demo.wire import Kind, Tally, Wire
from pos.errors import Invalid, Unavailable
from sync.corner import schedule
from sync.errors import SyncError

THREADS = 32
TICK_S = 0.02
HOUR_S = 3600.0

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to simulate.

    Without `directory` the corners are nameless followers of the static side. `speed` 10 lets everything happen ten times as
    often: 500 corners then weigh what 5,000 do. `outage_s` is a silence, in real seconds, after a quarter of the time.
    `origin` is HQ's own address where `url` is that of a cache in front of it; its CPU is measured there.
    """

    kiosks: int
    url: str
    minutes: float
    directory: Path | None
    market: str
    slips_per_hour: float
    outage_s: float
    speed: float
    is_cold: bool
    origin: str | None = None


def run_fleet(load: Load, *, progress: Progress) -> dict[str, Any]:
    """Run the fleet for its time, or until interrupted, and return what was measured, rates per second of this machine's clock.

    `progress` hears a stage, how far it is and how far it goes.
    Raises: Invalid when the outage leaves no time, Unavailable when nothing ever answered, NotFound for `directory`.
    """
    if load.outage_s and load.outage_s * 2 > load.minutes * 60:
        raise Invalid("the outage may take half of the time at most: give it more minutes", field="outage")
    fleet = _Fleet(load, progress)
    try:
        fleet.run()
    finally:
        fleet.close()
    if not any(kind.statuses for kind in fleet.tally.kinds.values()):
        raise Unavailable(f"{load.url} never answered")
    return fleet.report()


class _Fleet:
    def __init__(self, load: Load, progress: Progress) -> None:
        self.tally = Tally()
        self._load = load
        self._progress = progress
        self._kiosks = _kiosks(load, self.tally, progress)
        self._problems: Counter[str] = Counter()
        self._late_s: list[float] = []
        self._taken = self._recorded = 0
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, LoadKiosk]] = []
        self._order = itertools.count()
        self._began = self._ended = self._silent_from = self._silent_to = 0.0
        self._away: set[str] = set()
        self._drained_at: float | None = None
        self._servers = server_processes(load.origin or load.url)
        self._cpu_s = self._own_cpu_s = 0.0

    def run(self) -> None:
        """Let every kiosk do its rounds until the time is over."""
        seconds = self._load.minutes * 60
        self._began = time.monotonic()
        if self._load.outage_s:
            self._silent_from = self._began + seconds / 4
            self._silent_to = self._silent_from + self._load.outage_s
            self._away = {kiosk.name for kiosk in self._kiosks}
        used, own = cpu_s(self._servers), time.process_time()
        for kiosk in self._kiosks:
            kiosk.open(self._began)
            self._put(self._began + schedule.first_delay_s(kiosk.name) / self._load.speed, kiosk)
        with ThreadPoolExecutor(min(THREADS, self._load.kiosks)) as pool:
            try:
                self._dispatch(pool, self._began + seconds)
            except KeyboardInterrupt:
                self._progress("stopping", 0, 0)
        self._ended = time.monotonic()
        self._cpu_s, self._own_cpu_s = cpu_s(self._servers) - used, time.process_time() - own

    def report(self) -> dict[str, Any]:
        """Return everything measured as one document."""
        seconds = self._ended - self._began
        simulated_hours = self._load.kiosks * seconds * self._load.speed / HOUR_S
        moments = Counter(int(moment - self._began) for moment in self.tally.moments)
        return {
            "kiosks": self._load.kiosks,
            "against": self._load.url,
            "seconds": round(seconds, 1),
            "speed": self._load.speed,
            "requests": {
                name: _figures(kind, seconds, simulated_hours) for name, kind in sorted(self.tally.kinds.items()) if kind.statuses
            },
            "requests_per_s": round(len(self.tally.moments) / seconds, 2),
            "requests_in_the_busiest_second": max(moments.values(), default=0),
            "events": {
                "recorded": self._recorded,
                "acked": self._taken,
                "acked_per_s": round(self._taken / seconds, 2),
                "waiting": sum(kiosk.waiting for kiosk in self._kiosks),
            },
            "problems": dict(self._problems),
            "late_ms_p99": round(_percentile(self._late_s, 0.99) * 1000, 1),
            "outage": self._outage(moments) if self._load.outage_s else None,
            "hq_cpu": self._hq_cpu(seconds, simulated_hours) if self._servers else None,
            "own_cpu_share": round(self._own_cpu_s / seconds, 3),
        }

    def close(self) -> None:
        """Hang every connection up."""
        for kiosk in self._kiosks:
            kiosk.close()

    def _dispatch(self, pool: ThreadPoolExecutor, until: float) -> None:
        while (now := time.monotonic()) < until:
            self._progress("fleet", int(now - self._began), int(until - self._began))
            with self._lock:
                ready = []
                while self._due and self._due[0][0] <= now:
                    at, _, kiosk = heapq.heappop(self._due)
                    ready.append(kiosk)
                    self._late_s.append(now - at)
            for kiosk in ready:
                pool.submit(self._round, kiosk)
            time.sleep(TICK_S)

    def _round(self, kiosk: LoadKiosk) -> None:
        now = time.monotonic()
        wait_s = None
        taken = recorded = 0
        try:
            recorded = kiosk.work(now)
            if self._silent_from <= now < self._silent_to:
                kiosk.failures += 1
            else:
                taken = kiosk.round(now)
                kiosk.failures = 0
                self._is_back(kiosk.name, now)
        except SyncError as problem:
            kiosk.failures += 1
            wait_s = problem.data.get("retry_after_s")
            self._failed(problem.code)
        except Exception as problem:  # noqa: BLE001 - a bug in one corner is counted and shown; the others go on
            kiosk.failures += 1
            self._failed(f"{type(problem).__name__}: {problem}")
        with self._lock:
            self._taken += taken
            self._recorded += recorded
        delay_s = schedule.next_delay_s(kiosk.failures, random=kiosk.random, retry_after_s=wait_s)
        self._put(now + delay_s / self._load.speed, kiosk)

    def _put(self, at: float, kiosk: LoadKiosk) -> None:
        with self._lock:
            heapq.heappush(self._due, (at, next(self._order), kiosk))

    def _failed(self, code: str) -> None:
        with self._lock:
            self._problems[code] += 1

    def _is_back(self, name: str, now: float) -> None:
        """Note the first good round after the outage; the last corner's ends the drain."""
        if self._load.outage_s and now >= self._silent_to:
            with self._lock:
                self._away.discard(name)
                if not self._away and self._drained_at is None:
                    self._drained_at = time.monotonic()

    def _outage(self, moments: Counter[int]) -> dict[str, Any]:
        over = int(self._silent_to - self._began)
        after = [count for second, count in moments.items() if second >= over]
        drain_s = self._drained_at - self._silent_to if self._drained_at is not None else None
        return {
            "seconds": self._load.outage_s,
            "drained_after_s": round(drain_s, 1) if drain_s is not None else None,
            "corners_not_back": len(self._away),
            "requests_in_the_busiest_second_after": max(after, default=0),
        }

    def _hq_cpu(self, seconds: float, simulated_hours: float) -> dict[str, float]:
        return {
            "seconds": round(self._cpu_s, 2),
            "share_of_a_core": round(self._cpu_s / seconds, 4),
            "seconds_per_kiosk_hour": round(self._cpu_s / simulated_hours, 4),
        }


def _kiosks(load: Load, tally: Tally, progress: Progress) -> list[LoadKiosk]:
    outboxes: list[Outbox] = []
    slips: Slips | None = None
    if load.directory is not None:
        outboxes, slips = enrol_corners(
            load.directory, load.market, load.kiosks, progress=lambda done, of: progress("enrolling", done, of)
        )
    return [
        LoadKiosk(
            name_of(number),
            Poll(load.market, is_cold=load.is_cold),
            Wire(load.url, tally),
            outbox=outboxes[number - 1] if outboxes else None,
            slips=slips,
            slips_per_s=load.slips_per_hour * load.speed / HOUR_S,
            silence_s=HEARTBEAT_S / load.speed,
            random=Random(number),  # noqa: S311 - jitter that can be repeated, not a secret
        )
        for number in range(1, load.kiosks + 1)
    ]


def _figures(kind: Kind, seconds: float, simulated_hours: float) -> dict[str, Any]:
    requests = sum(kind.statuses.values())
    refused = kind.statuses[429] + kind.statuses[503]
    return {
        "requests": requests,
        "per_s": round(requests / seconds, 2),
        "p50_ms": round(_percentile(kind.times_ms, 0.5), 1),
        "p95_ms": round(_percentile(kind.times_ms, 0.95), 1),
        "p99_ms": round(_percentile(kind.times_ms, 0.99), 1),
        "bytes_in_per_s": round(kind.received / seconds),
        "bytes_out_per_s": round(kind.sent / seconds),
        "not_modified_share": round(kind.statuses[304] / requests, 3),
        "refused": refused,
        "errors": sum(count for status, count in kind.statuses.items() if status >= 400) - refused + kind.broken,
        "requests_per_kiosk_hour": round(requests / simulated_hours, 1),
        "bytes_per_kiosk_hour": round((kind.received + kind.sent) / simulated_hours),
    }


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
