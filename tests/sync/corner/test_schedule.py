"""The fleet is spread out when it polls, and spreads further when HQ is down."""

from __future__ import annotations

from random import Random

from sync.corner.schedule import LONGEST_RETRY_S, POLL_S, first_delay_s, next_delay_s


def test_first_rounds_spread_evenly_and_stay_put() -> None:
    delays = [first_delay_s(f"corner-{number}") for number in range(6_000)]
    assert delays == [first_delay_s(f"corner-{number}") for number in range(6_000)]
    per_second = [sum(second <= delay < second + 1 for delay in delays) for second in range(int(POLL_S))]
    assert min(per_second) > 60
    assert max(per_second) < 140


def test_good_rounds_follow_each_other_with_a_little_jitter() -> None:
    delays = [next_delay_s(0, random=Random(number)) for number in range(500)]
    assert min(delays) >= 0.9 * POLL_S
    assert max(delays) <= 1.1 * POLL_S
    assert max(delays) - min(delays) > 0.15 * POLL_S


def test_failures_back_off_with_full_jitter_up_to_a_limit() -> None:
    for failures, longest in ((1, 4.0), (5, 64.0), (9, LONGEST_RETRY_S), (10_000, LONGEST_RETRY_S)):
        delays = [next_delay_s(failures, random=Random(number)) for number in range(500)]
        assert min(delays) < max(1.0, longest * 0.02) + 0.01
        assert longest * 0.95 < max(delays) <= longest


def test_hq_s_wish_is_a_lower_bound() -> None:
    assert all(next_delay_s(1, random=Random(number), retry_after_s=120) >= 120 for number in range(100))
