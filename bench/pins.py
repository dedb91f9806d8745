"""What a try at a PIN costs at the counter, beside a bare Argon2id of the least that is advised (OWASP: 19 MiB, two passes)."""

from __future__ import annotations

import statistics
import time

from argon2 import PasswordHasher

from bench.measure import Row
from pos.pins import HASHER

RUNS = 15
LEAST_MS, MOST_MS = 80, 250
LEAST_ADVISED = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def measure() -> list[Row]:
    """Return the row of PINs; the two take turns; judged by their CPU, of which one core gives as much as it takes."""
    kept, bare = HASHER.hash(b"739418"), LEAST_ADVISED.hash(b"739418")
    turns = [(_took_ms(HASHER, kept), _took_ms(LEAST_ADVISED, bare)) for _ in range(RUNS)]
    own, floor = zip(*turns, strict=True)
    figure = f"{statistics.median(own):.0f} ms of CPU, at best {min(own):.0f} ms"
    beside = f"the least that is advised: {statistics.median(floor):.0f} ms"
    is_met = LEAST_MS <= statistics.median(own) <= MOST_MS
    return [Row("checking a PIN", figure, f"{LEAST_MS}–{MOST_MS} ms", beside, is_met, round(min(own) / min(floor), 3))]


def _took_ms(hasher: PasswordHasher, kept: str) -> float:
    began = time.process_time()
    hasher.verify(kept, b"739418")
    return (time.process_time() - began) * 1000
