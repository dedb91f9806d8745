"""Fault 17: a kiosk was away longer than HQ keeps the steps. It takes a snapshot, and what was deleted meanwhile is gone."""

from __future__ import annotations

from sync.errors import SyncError
from tests.sync.conftest import Hq, Kiosk, listing, sku


def test_fault_17_a_kiosk_away_too_long_takes_a_snapshot_without_ghosts(hq: Hq, follower: Kiosk) -> None:
    hq.publish()
    follower.follow()
    hq.drop("listing", 5, 6)
    hq.drop("stock", 5, 6)
    hq.drop("sku", 2)
    hq.put("sku", sku(3, "IPAD-9-64-GREY"))
    for price in range(1, 30):
        hq.put("listing", *(listing(number, price_cents=price * 1_000 + number) for number in range(10, 150)))
        hq.publish()

    moved = follower.follow()

    assert moved.parts > 0
    rows = follower.rows()
    assert rows == hq.rows
    assert {5, 6}.isdisjoint(rows["listing"])
    assert 2 not in rows["sku"]
    assert follower.is_sound()


def test_fault_17_steps_that_vanished_from_the_server_are_an_error_and_then_a_way_round(hq: Hq, follower: Kiosk) -> None:
    """A careless clean-up took blobs a head still names: nothing is half applied, and the next publication leads on."""
    hq.publish()
    follower.follow()
    before = follower.rows()
    hq.put("stock", (1, 0))
    hq.publish()
    for path in (hq.static / "b").iterdir():
        path.unlink()
    try:
        follower.follow()
    except SyncError:
        assert follower.rows() == before
    for path in hq.replica.parent.glob("catalog.db*"):
        path.unlink()
    hq.put("stock", (2, 0))
    hq.publish()
    follower.follow()
    assert follower.rows() == hq.rows
    assert follower.is_sound()
