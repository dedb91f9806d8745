"""When a kiosk asks again: spread over the fleet by the corner's name, and ever later while nothing answers.

Pure functions: the caller brings the randomness. Source: reference/sync.md §3.11.
"""

from __future__ import annotations

import hashlib
from random import Random

POLL_S = 60.0
JITTER = 0.1
FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 600.0
LONGEST_QUEUE_S = 180.0
"""Of 60 to 600 s the wait at which a herd of 5,000 drained soonest from an HQ too small for it (tests/faults, fault 29)."""


def first_delay_s(corner_id: str) -> float:
    """Return how long after its start a kiosk asks first: the same for a corner each time, spread evenly over the fleet."""
    number = int.from_bytes(hashlib.sha256(corner_id.encode()).digest()[:8], "big")
    return POLL_S * number / 2**64


def next_delay_s(failures: int, *, random: Random, retry_after_s: int | None = None) -> float:
    """Return the wait before the next round, after `failures` rounds in a row that failed (0: the last one went well).

    Full jitter: a fleet that lost HQ together does not come back together. `retry_after_s` is HQ's wish and a lower bound; an HQ
    that names it is alive, and whoever was sent away comes back within three minutes, so that a full HQ still drains the fleet.
    """
    if failures == 0:
        return POLL_S * random.uniform(1 - JITTER, 1 + JITTER)
    most = LONGEST_RETRY_S if retry_after_s is None else LONGEST_QUEUE_S
    longest = min(most, FIRST_RETRY_S * 2.0 ** min(failures, 16))
    return max(1.0, random.uniform(0, longest)) + (retry_after_s or 0)
