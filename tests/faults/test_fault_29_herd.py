"""Fault 29: five thousand kiosks start at once, and HQ is down for three hours, then up."""

from __future__ import annotations

from collections import Counter

import pytest

from demo import herd
from demo.herd import Herd, simulate_return
from sync.corner.schedule import POLL_S, first_delay_s

KIOSKS = 5000
USUAL_RPS = KIOSKS / POLL_S
THREE_HOURS = Herd(kiosks=KIOSKS, outage_s=3 * 3600, uplinks_per_s=40, retry_after_s=5, seed=29)


def test_fault_29_kiosks_that_start_at_once_ask_spread_over_a_minute() -> None:
    seconds = Counter(int(first_delay_s(f"corner-{number}")) for number in range(KIOSKS))
    assert set(seconds) == set(range(int(POLL_S)))
    assert max(seconds.values()) < 1.6 * USUAL_RPS


def test_fault_29_after_three_hours_the_fleet_comes_back_without_a_storm_within_ten_minutes() -> None:
    came_back = simulate_return(THREE_HOURS)

    assert came_back.drained_s < 600
    assert came_back.peak_polls_rps < 1.6 * USUAL_RPS
    assert came_back.peak_uplinks_rps < 0.5 * USUAL_RPS
    assert came_back.refused == 0


def test_fault_29_an_hq_too_small_for_the_herd_refuses_some_and_still_hears_all() -> None:
    came_back = simulate_return(Herd(**{**_fields(THREE_HOURS), "uplinks_per_s": 12}))

    assert 0 < came_back.refused_share < 0.2
    assert came_back.drained_s < 600
    assert came_back.peak_uplinks_rps < 0.5 * USUAL_RPS
    assert sum(batches for _, _, batches, _ in came_back.series) == KIOSKS


def test_fault_29_a_schedule_without_jitter_would_break_these_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(herd, "first_delay_s", lambda corner_id: 0.0)
    monkeypatch.setattr(herd, "next_delay_s", lambda failures, *, random, retry_after_s=None: min(600.0, 2.0**failures * 60))

    assert simulate_return(Herd(**{**_fields(THREE_HOURS), "uplinks_per_s": KIOSKS})).peak_polls_rps == KIOSKS
    with pytest.raises(RuntimeError, match="have not delivered"):
        simulate_return(THREE_HOURS)


def _fields(of: Herd) -> dict[str, float]:
    return {name: getattr(of, name) for name in Herd.__slots__}
