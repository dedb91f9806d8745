"""Fault 11: a kiosk was offline until the root it believes had run out. It walks from root to root and goes on as ever."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
import requests

from pos.ops import setting
from sync.errors import MetadataExpired, SyncError
from sync.hq.repository import LIFE, rotate
from tests.faults.forgers import begin_round
from tests.sync.conftest import NOW, Hq, Kiosk, listing

YEARS = (LIFE["root"] + timedelta(days=365)) // timedelta(days=1)
HALF_YEAR = 182


def age(hq: Hq, days: int) -> None:
    """Let HQ live on: prices change, and every half year its keys do, each second time the root's own as well."""
    for number in range(days // HALF_YEAR):
        hq.tick(days=HALF_YEAR)
        rotate(hq.static, hq.keys, new_root_keys=number % 2 == 1, now=hq.now)
        hq.put("listing", listing(number + 1, price_cents=20_000 + number))
        hq.drop("stock", 100 + number)
        hq.publish()


def roots(hq: Hq) -> int:
    return len(list((hq.static / "metadata").glob("*.root.json")))


@pytest.mark.parametrize("has_trust", [True, False])
def test_fault_11_a_kiosk_whose_root_has_run_out_walks_to_the_newest(hq: Hq, follower: Kiosk, has_trust: bool) -> None:
    hq.publish()
    follower.follow()
    age(hq, YEARS)
    if not has_trust:
        shutil.rmtree(follower.directory / "trust")
    assert roots(hq) == 1 + YEARS // HALF_YEAR

    begin_round(follower, now=hq.now)
    moved = follower.follow()

    assert moved.parts > 0, "so long away, a snapshot is the way"
    assert follower.rows() == hq.rows
    assert follower.is_sound()
    assert json.loads(setting(follower.ops.read(), "trusted_root"))["signed"]["version"] == roots(hq)
    hq.put("stock", (1, 0))
    hq.publish()
    begin_round(follower, now=hq.now)
    assert (follower.follow().segments, follower.rows()) == (1, hq.rows)


def test_fault_11_a_walk_that_breaks_off_at_any_root_goes_on_later(hq: Hq, follower: Kiosk) -> None:
    """The line goes dead before the 1st file after the timestamp, the 2nd, the 3rd … until one round gets through."""
    hq.publish()
    follower.follow()
    age(hq, YEARS)
    before = follower.rows()
    allowed = 0
    while True:
        left = iter(range(allowed))

        def cut(request: requests.PreparedRequest, left: object = left) -> None:
            if next(left, None) is None:  # type: ignore[call-overload]
                raise requests.ConnectionError("no route")

        follower.line.before = cut
        begin_round(follower, now=hq.now)
        try:
            follower.follow()
        except SyncError:
            assert follower.rows() == before
            allowed += 1
            continue
        break
    assert allowed > roots(hq) - 1
    assert follower.rows() == hq.rows


def test_fault_11_an_hq_that_let_its_own_root_run_out_stops_no_shop(hq: Hq, follower: Kiosk) -> None:
    hq.publish()
    follower.follow()
    before = follower.rows()
    hq.now = NOW + timedelta(days=YEARS)
    hq.put("stock", (1, 0))
    hq.publish()
    begin_round(follower, now=hq.now)
    with pytest.raises(MetadataExpired):
        follower.follow()
    assert follower.rows() == before

    rotate(hq.static, hq.keys, now=hq.tick())
    begin_round(follower, now=hq.now)
    follower.follow()
    assert follower.rows() == hq.rows
