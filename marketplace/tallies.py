"""Counts of what this node's processes did since it was started: requests of the fleet by result, their durations, bytes served.

Each worker process counts in a small file of its own, mapped into memory, and sums the files of all when it is asked. So a scrape
answered by one worker covers every one, and what a dead worker counted stays. `serve` deletes the files before it starts.
"""

from __future__ import annotations

import mmap
import secrets
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from flask import Flask, Response, g, request

FOLDER = "metrics"
ROUTES = ("up", "enrolments", "head", "blob", "other")
RESULTS = {
    200: "stored",
    400: "malformed",
    401: "untrusted",
    403: "refused",
    409: "forked",
    413: "too_large",
    429: "later",
    503: "later",
}
BUCKETS_MS = (1, 5, 10, 25, 50, 100, 250, 1000)


def _slots() -> list[tuple[str, str, str]]:
    """Return what is counted, in the order of the file: family, route or result, and bucket."""
    slots = [("up", result, "") for result in dict.fromkeys([*RESULTS.values(), "failed"])]
    slots += [("bytes", route, "") for route in ROUTES]
    slots += [("us", route, "") for route in ROUTES]
    return slots + [("within", route, str(bound)) for route in ROUTES for bound in (*BUCKETS_MS, "+Inf")]


SLOTS = _slots()
PLACES = {slot: place for place, slot in enumerate(SLOTS)}
WIDTH = 8


class Tallies:
    """The counts of one process, and the sums over all."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        path = self._folder / f"{secrets.token_hex(8)}.counts"
        path.write_bytes(bytes(WIDTH * len(SLOTS)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def add(self, family: str, label: str, *, number: int, bucket: str = "") -> None:
        """Count `number` more."""
        at = PLACES[family, label, bucket] * WIDTH
        with self._lock:
            (before,) = struct.unpack_from("<Q", self._map, at)
            struct.pack_into("<Q", self._map, at, before + number)

    def sums(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        """Yield each slot with its sum over the processes of this node."""
        contents = [path.read_bytes() for path in sorted(self._folder.glob("*.counts"))]
        whole = [content for content in contents if len(content) == WIDTH * len(SLOTS)]
        columns = zip(*(struct.unpack(f"<{len(SLOTS)}Q", content) for content in whole), strict=True)
        yield from zip(SLOTS, map(sum, columns), strict=True)


def forget(directory: Path) -> None:
    """Delete the counts of an earlier run: Prometheus treats a restart at zero as a reset."""
    for path in (directory / FOLDER).glob("*.counts"):
        path.unlink(missing_ok=True)


def watch(app: Flask, tallies: Tallies) -> None:
    """Count every request of the fleet that `app` answers."""

    def start() -> None:
        g.started = perf_counter()

    def count(response: Response) -> Response:
        if request.blueprint == "sync":
            # A request that was refused before it began took no time.
            ended = perf_counter()
            _count(tallies, response, int((ended - g.get("started", ended)) * 1_000_000))
        return response

    app.before_request(start)
    app.after_request(count)


def _count(tallies: Tallies, response: Response, took_us: int) -> None:
    name = (request.endpoint or "").rpartition(".")[2]
    route = name if name in ROUTES else "other"
    if route == "up":
        tallies.add("up", RESULTS.get(response.status_code, "failed"), number=1)
    elif request.method == "GET" and response.status_code in (200, 206):
        tallies.add("bytes", route, number=response.content_length or 0)
    tallies.add("us", route, number=took_us)
    bound = next((str(bound) for bound in BUCKETS_MS if took_us <= bound * 1000), "+Inf")
    tallies.add("within", route, number=1, bucket=bound)
