"""Limits are exact however many ask at once, and whoever keeps below them is never refused."""

from __future__ import annotations

import subprocess
import sys
import time

import time_machine

from pos import clock
from tests.marketplace.hq import Hq
from tests.marketplace.sellers.asking import BURST, EVERY
from tests.marketplace.sellers.selling import Seller, key_of


def two_processes(hq: Hq, *, pause_s: float, seconds: float) -> tuple[int, int]:
    """Let two processes ask; return how often they were allowed and refused."""
    url = hq.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.marketplace.sellers.asking", url, str(pause_s), str(seconds)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [[int(each) for each in process.communicate(timeout=60)[0].split()] for process in processes]
    return sum(allowed for allowed, _ in said), sum(refused for _, refused in said)


def test_two_processes_below_the_limit_are_never_refused_and_without_end_get_exactly_the_limit(hq: Hq) -> None:
    key_of(hq)
    paced, paced_refused = two_processes(hq, pause_s=2 * EVERY.total_seconds() / 0.95, seconds=1)
    began = time.monotonic()
    allowed, refused = two_processes(hq, pause_s=0, seconds=1)

    assert (paced > 2, paced_refused, refused > 0) == (True, 0, True)
    assert allowed <= BURST + (time.monotonic() - began + 1) / EVERY.total_seconds()


def test_the_answer_says_what_is_left_and_when_there_is_more(hq: Hq) -> None:
    seller = Seller(hq)
    with time_machine.travel(clock.now(), tick=False):
        first = seller.ask("GET", "/listings")
        hq.write("update api_key set full_at_us = full_at_us + 1000 * 50 * 198")
        last, refused = (seller.ask("GET", "/listings") for _ in range(2))

    assert [first.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")] == ["200", "199", "1"]
    assert (last.status_code, last.headers["RateLimit-Remaining"]) == (200, "0")
    assert refused.status_code == 429
    assert refused.json is not None
    assert refused.json["code"] == "too_many_requests"
    assert refused.headers["Retry-After"] == "1"
