"""Fault 18: HQ sweeps while a kiosk downloads. What a head named stays 30 days; what is gone is found another way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine

from marketplace.publishing.publications import sweep_files
from marketplace.running.housekeeping import keep_house
from pos import clock
from sync.errors import Rejected
from sync.hq.garbage import KEPT, named_blobs, sweep_blobs
from tests.faults.conftest import Served
from tests.faults.corners import Corner
from tests.sync.conftest import Answer, Hq, Kiosk, Line, listing

TIMESTAMP = "/sync/v1/metadata/timestamp.json"


def blobs(hq: Hq) -> set[str]:
    return {path.name for path in (hq.static / "b").iterdir()}


def asked(line: Line) -> list[str]:
    return [request.path_url for request in line.asked]


def live_on(hq: Hq, days: int) -> None:
    """Change a part of the prices after so many days, publish, and sweep: segments merge and snapshots are replaced."""
    hq.tick(days=days)
    hq.put("listing", *(listing(number, price_cents=20_000 + hq.now.day) for number in range(1, 60)))
    hq.publish()
    sweep_blobs(hq.static, now=hq.now)


def test_fault_18_what_a_head_named_stays_for_thirty_days_after_it_was_replaced(hq: Hq) -> None:
    hq.publish()
    hq.put("stock", (1, 0))
    hq.publish()
    named = named_blobs(hq.static, [hq.head()])
    hq.put("stock", (1, 1))
    hq.publish()
    replaced_at = hq.now
    for days in (1, 3, 8, 17):
        live_on(hq, days)
        assert named <= blobs(hq)
    sweep_blobs(hq.static, now=replaced_at + KEPT)
    assert named <= blobs(hq)
    live_on(hq, 9)
    assert not named <= blobs(hq)
    assert named_blobs(hq.static, [hq.head()]) <= blobs(hq)


class SweptMeanwhile:
    """At a kiosk's n-th blob, HQ lives on for forty days before it answers: the head in the kiosk's hands is older than that."""

    def __init__(self, hq: Hq, at: int) -> None:
        self._hq = hq
        self._left = at

    def __call__(self, request: requests.PreparedRequest) -> Answer | None:
        if "/b/" in request.path_url:
            self._left -= 1
            if self._left == 0:
                self._hq.put("listing", *(listing(number, price_cents=22_000) for number in range(1, 200)))
                self._hq.put("stock", (5, 1))
                self._hq.put("sku", (*self._hq.rows["sku"][1][:4], "iPhone 12 mini", *self._hq.rows["sku"][1][5:]))
                self._hq.publish()
                self._hq.tick(days=40)
                sweep_blobs(self._hq.static, now=self._hq.now)
        return None


@pytest.mark.parametrize(("has_catalogue", "at"), [(True, 1), (True, 3), (False, 1), (False, 5), (False, 8)])
def test_fault_18_what_is_swept_under_a_kiosk_costs_it_one_more_look_at_the_head(
    hq: Hq, follower: Kiosk, line: Line, has_catalogue: bool, at: int
) -> None:
    """HQ sweeps before it answers for the `at`-th blob; one that is too far behind the tail asks for an index first."""
    hq.publish()
    if has_catalogue:
        follower.follow()
    for number in range(4):
        hq.put("listing", *(listing(each, price_cents=20_000 + number) for each in range(1, 100)))
        hq.put("stock", (3, number))
        hq.publish()
    line.before = SweptMeanwhile(hq, at)
    line.asked.clear()

    follower.follow()

    looks = asked(line).count(TIMESTAMP)
    assert looks == 2 if at == 1 else looks in (1, 2)
    follower.follow()
    assert follower.rows() == hq.rows
    assert follower.is_sound()


def gone(*names: str) -> Any:
    """Answer 404 for these blobs, as a cache that forgot them or a disk that lost them."""
    return lambda request: (404, {}, b"{}") if request.path_url.rpartition("/")[2] in names else None


def test_fault_18_a_step_that_is_nowhere_is_asked_for_twice_and_then_a_snapshot_is_taken(
    hq: Hq, follower: Kiosk, line: Line
) -> None:
    hq.publish()
    follower.follow()
    hq.put("listing", *(listing(number, price_cents=20_000 + number) for number in range(1, 201)))
    hq.publish()
    assert hq.index("price").snapshot.version == 2
    lost = hq.head().track.channels["price"].tail[-1].blob.sha256
    line.before = gone(lost)
    line.asked.clear()

    moved = follower.follow()

    assert moved.parts > 0
    assert (follower.rows(), follower.is_sound()) == (hq.rows, True)
    assert asked(line).count(f"/sync/v1/b/{lost}") == 2
    assert asked(line).count(TIMESTAMP) == 2


def test_fault_18_one_404_is_forgiven_without_a_snapshot(hq: Hq, follower: Kiosk, line: Line) -> None:
    """A cache remembers a time before the blob was there, and forgets it between the two looks."""
    hq.publish()
    follower.follow()
    hq.put("listing", listing(1, price_cents=20_000))
    hq.publish()
    first = iter([True])
    line.before = lambda request: (404, {}, b"{}") if "/b/" in request.path_url and next(first, False) else None
    moved = follower.follow()
    assert (moved.segments, moved.parts) == (1, 0)
    assert follower.rows() == hq.rows


def test_fault_18_when_everything_is_gone_the_round_ends_soon_and_the_catalogue_stays(
    hq: Hq, follower: Kiosk, line: Line
) -> None:
    hq.publish()
    follower.follow()
    before = follower.rows()
    hq.put("listing", listing(1, price_cents=20_000))
    hq.put("stock", (1, 0))
    hq.publish()
    line.before = gone(*blobs(hq))
    line.asked.clear()
    with pytest.raises(Rejected):
        follower.follow()
    assert follower.rows() == before
    assert asked(line).count(TIMESTAMP) == 2
    assert sum("/b/" in path for path in asked(line)) <= 4
    line.before = lambda request: None
    follower.follow()
    assert follower.rows() == hq.rows


@pytest.mark.parametrize("is_by_hand", [True, False])
def test_fault_18_the_marketplace_sweeps_what_is_old_and_a_new_kiosk_misses_nothing(
    served: Served, tmp_path: Path, is_by_hand: bool
) -> None:
    hq = served.hq
    corner = Corner(tmp_path / "kiosk", served)
    assert corner.round().faults == ()
    static = hq.directory / "sync"
    hq.change(l11={"price": "349.00"})
    before = set(static.rglob("*"))
    with time_machine.travel(clock.now() + KEPT - timedelta(days=1)):
        keep_house(hq.engine, hq.directory)
        hq.work()
        assert before <= set(static.rglob("*"))
    with time_machine.travel(clock.now() + KEPT + timedelta(days=3)):
        hq.change(l11={"price": "339.00"})
    with time_machine.travel(clock.now() + 2 * KEPT + timedelta(days=9)):
        keep_house(hq.engine, hq.directory)
        hq.work()
        if is_by_hand:
            sweep_files(hq.engine, hq.directory)
        assert not before <= set(static.rglob("*"))
        fresh = Corner(tmp_path / "fresh", served)
        for each in (corner, fresh):
            assert each.round().faults == ()
            assert each.holds_hq_s_rows()
            each.close()
