"""The herd that comes back after an outage, simulated second by second: kiosks ask by `sync.corner.schedule`, HQ is bounded.

Nothing is sent. It shows what the schedule alone does to a fleet: how many ask in a second, how many are refused, and when the
last one has delivered. Source: reference/sync.md §3.11 and fault 29.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from random import Random

from sync.corner.schedule import POLL_S, first_delay_s, next_delay_s

CALM_S = 120.0
"""How long HQ is well before the outage, so that it finds every kiosk in its usual pace."""
AFTERWARDS_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Herd:
    """A fleet and the HQ it comes back to: HQ takes `uplinks_per_s` batches in a second and refuses the rest politely.

    Polls of the head are for a cache to answer and are never refused.
    """

    kiosks: int
    outage_s: float
    uplinks_per_s: int
    retry_after_s: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """How a herd came back. Rates are per second, counted in whole seconds; `drained_s` counts from HQ's return.

    `usual_rps` is the fleet's pace on a calm day; `series` holds (second after HQ's return, polls, batches, refused).
    """

    usual_rps: float
    peak_polls_rps: int
    peak_uplinks_rps: int
    refused: int
    refused_share: float
    drained_s: float
    series: tuple[tuple[int, int, int, int], ...]


def simulate_return(herd: Herd) -> Return:
    """Let every kiosk run into the outage and out of it, and return how that went.

    Each kiosk has events to deliver when HQ is back: its first round brings one batch and one poll, as in `sync.corner.rounds`,
    and the poll alone from then on. Raises: RuntimeError when a kiosk has not delivered half an hour after HQ's return.
    """
    chances = Random(herd.seed)  # noqa: S311 - a simulation that can be repeated, not a secret
    back_at = CALM_S + herd.outage_s
    until = back_at + AFTERWARDS_S
    due = [_first_after(f"herd-{number:05}", back_at, chances) for number in range(herd.kiosks)]
    heapq.heapify(due)
    polls: Counter[int] = Counter()
    batches: Counter[int] = Counter()
    refused: Counter[int] = Counter()
    waiting = herd.kiosks
    drained_s = 0.0
    while due and (waiting or due[0][0] < back_at + drained_s + POLL_S):
        at, failures, has_events = heapq.heappop(due)
        if at > until:
            raise RuntimeError(f"{waiting} kiosks have not delivered {AFTERWARDS_S:.0f} s after HQ's return")
        second = int(at - back_at)
        polls[second] += 1
        wait_s = None
        if has_events and batches[second] < herd.uplinks_per_s:
            batches[second] += 1
            waiting -= 1
            drained_s = at - back_at
            failures, has_events = 0, False
        elif has_events:
            refused[second] += 1
            failures, wait_s = failures + 1, herd.retry_after_s
        else:
            failures = 0
        delay_s = next_delay_s(failures, random=chances, retry_after_s=wait_s)
        heapq.heappush(due, (at + delay_s, failures, has_events))
    return Return(
        usual_rps=herd.kiosks / POLL_S,
        peak_polls_rps=max(polls.values()),
        peak_uplinks_rps=max((batches + refused).values()),
        refused=refused.total(),
        refused_share=refused.total() / (refused.total() + batches.total()),
        drained_s=drained_s,
        series=tuple((second, polls[second], batches[second], refused[second]) for second in sorted(polls)),
    )


def _first_after(corner_id: str, back_at: float, chances: Random) -> tuple[float, int, bool]:
    """Return when this kiosk first asks after HQ's return, and how many of its rounds failed before that."""
    at, failures = first_delay_s(corner_id), 0
    while at < back_at:
        failures = failures + 1 if at >= CALM_S else 0
        at += next_delay_s(failures, random=chances)
    return at, failures, True
